package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"holdfast/kernel"
)

// Read reads an archive and hands its state to take, which has to read it to its
// end, and may keep nothing of it unless Read returns nil: the sums stand behind
// the state. Errors: r's own and take's, wrapped; kernel.ErrNewerVersion for the
// form of a newer build; and ErrDamaged for whatever is not a whole archive and
// nothing else.
func Read(r io.Reader, take func(about Meta, state io.Reader) error) (Meta, error) {
	in := &source{r: r}
	about, err := read(in, take)
	if err == nil {
		return about, nil
	}
	if in.err != nil {
		return Meta{}, fmt.Errorf("read archive: %w", in.err)
	}
	return Meta{}, fmt.Errorf("read archive: %w", err)
}

// Verify reads an archive and says what its state holds. It checks everything
// but whether each node has its directory, which only a restore tells. Its errors
// are those of Read.
func Verify(r io.Reader) (Meta, *kernel.Survey, error) {
	var found *kernel.Survey
	about, err := Read(r, func(about Meta, state io.Reader) (err error) {
		if found, err = kernel.SurveySnapshot(state); err != nil {
			return err
		}
		if found.Applied != about.Index || found.Index != about.StoreIndex {
			return fmt.Errorf("%w: it is of log index %d and store index %d, %s says %d and %d",
				ErrDamaged, found.Applied, found.Index, metaFile, about.Index, about.StoreIndex)
		}
		return nil
	})
	if err != nil {
		return Meta{}, nil, err
	}
	return about, found, nil
}

// source remembers what its reader failed with, to tell a broken disk or
// connection from a broken archive.
type source struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func read(in io.Reader, take func(Meta, io.Reader) error) (about Meta, err error) {
	raw := bufio.NewReaderSize(in, pieceBytes)
	z, err := gzip.NewReader(raw)
	if err != nil {
		return about, damaged("gzip", err)
	}
	z.Multistream(false)
	t := tar.NewReader(z)
	described, err := small(t, metaFile, MaxMetaBytes)
	if err != nil {
		return about, err
	}
	if about, err = decodeMeta(described); err != nil {
		return about, err
	}
	stateSum, err := readState(t, about, take)
	if err != nil {
		return about, err
	}
	sums, err := small(t, sumsFile, MaxSumsBytes)
	if err != nil {
		return about, err
	}
	if err := checkSums(sums, sha256.Sum256(described), stateSum); err != nil {
		return about, err
	}
	if _, err := t.Next(); !errors.Is(err, io.EOF) {
		return about, damaged("a file behind "+sumsFile, err)
	}
	// The end of the gzip stream has its checksum.
	if err := atEnd(z); err != nil {
		return about, damaged("behind the last file", err)
	}
	if err := atEnd(raw); err != nil {
		return about, damaged("behind the archive", err)
	}
	return about, nil
}

// damaged says that something is not as Write makes it; the cause may be nil.
func damaged(what string, cause error) error {
	switch {
	case cause == nil:
		return fmt.Errorf("%s: %w", what, ErrDamaged)
	case errors.Is(cause, io.EOF) || errors.Is(cause, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: %w: it is cut short", what, ErrDamaged)
	}
	return fmt.Errorf("%s: %w: %w", what, ErrDamaged, cause)
}

var errMore = errors.New("bytes left over")

// atEnd fails unless r is at its end.
func atEnd(r io.Reader) error {
	n, err := io.ReadFull(r, make([]byte, 1))
	switch {
	case n > 0:
		return errMore
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// next goes to the file that must be next.
func next(t *tar.Reader, name string) (size int64, err error) {
	h, err := t.Next()
	if err != nil {
		return 0, damaged(name, err)
	}
	if h.Name != name || h.Typeflag != tar.TypeReg {
		return 0, fmt.Errorf("%s: %w: there is %.64q in its place", name, ErrDamaged, h.Name)
	}
	return h.Size, nil
}

// small reads a file that is kept whole.
func small(t *tar.Reader, name string, most int64) ([]byte, error) {
	size, err := next(t, name)
	if err != nil {
		return nil, err
	}
	if size > most {
		return nil, fmt.Errorf("%s: %w: %d bytes, the limit is %d", name, ErrDamaged, size, most)
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(t, content); err != nil {
		return nil, damaged(name, err)
	}
	return content, nil
}

func readState(t *tar.Reader, about Meta, take func(Meta, io.Reader) error) (sum [sha256.Size]byte, err error) {
	size, err := next(t, stateFile)
	if err != nil {
		return sum, err
	}
	if size != about.Size {
		return sum, fmt.Errorf("%s: %w: %d bytes, %s says %d", stateFile, ErrDamaged, size, metaFile, about.Size)
	}
	h := sha256.New()
	// What the state fails with below its own checks is the archive's fault.
	in := &source{r: io.TeeReader(t, h)}
	switch err := take(about, in); {
	case in.err != nil:
		return sum, damaged(stateFile, in.err)
	case errors.Is(err, kernel.ErrMalformed):
		return sum, damaged(stateFile, err)
	case err != nil:
		return sum, fmt.Errorf("%s: %w", stateFile, err)
	}
	if err := atEnd(in); err != nil {
		return sum, damaged(stateFile, err)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// checkSums compares what SHA256SUMS should hold with what it holds.
func checkSums(sums []byte, described, state [sha256.Size]byte) error {
	want := appendSums(nil, described, state)
	if bytes.Equal(sums, want) {
		return nil
	}
	half := len(want) - len(stateFile) - 2*sha256.Size - len("  \n")
	switch {
	case len(sums) != len(want):
		return fmt.Errorf("%s: %w: it is not of two files", sumsFile, ErrDamaged)
	case !bytes.Equal(sums[:half], want[:half]):
		return fmt.Errorf("%s: %w: its sum is not the one in %s", metaFile, ErrDamaged, sumsFile)
	}
	return fmt.Errorf("%s: %w: its sum is not the one in %s", stateFile, ErrDamaged, sumsFile)
}
