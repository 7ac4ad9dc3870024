package archive

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"

	"holdfast/kernel"
)

// ErrStopped says that an archive was given up because its writer was told to.
var ErrStopped = errors.New("told to stop")

const (
	// pieceBytes is how much is handed on at a time.
	pieceBytes = 64 << 10
	// worthwhile is what samples of the state must shrink to at the most for it
	// to be compressed at all. Data that shrinks less takes the compressor longer
	// than a disk or network of 100 MB/s takes for what it would save, and the
	// member's processor with it.
	worthwhile = 0.5
)

// Write writes the archive of a state to w. A tar says how long a file is before
// it, so the state is walked twice: to be measured, with samples of it tried for
// how well they compress, and to be written. Errors: w's, wrapped, and ErrStopped
// when stop was closed before the end. What was written then is no archive, and
// Read says so.
func Write(w io.Writer, state *kernel.Snapshot, about Meta, stop <-chan struct{}) error {
	if stopped(stop) {
		return fmt.Errorf("write archive: %w", ErrStopped)
	}
	level, err := measure(state, &about)
	if err != nil {
		return fmt.Errorf("write archive: try samples: %w", err)
	}
	out := bufio.NewWriterSize(w, pieceBytes)
	z, err := gzip.NewWriterLevel(out, level)
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	t := &tarWriter{Writer: tar.NewWriter(z), taken: about.Taken, stop: stop}
	err = t.files(state, about)
	for _, finish := range []func() error{t.Close, z.Close, out.Flush} {
		if err == nil {
			err = finish()
		}
	}
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// measure fills in the size of the state and chooses how to compress it.
func measure(state *kernel.Snapshot, about *Meta) (level int, err error) {
	var plain, small counter
	z, err := gzip.NewWriterLevel(&small, gzip.BestSpeed)
	if err != nil {
		return 0, err
	}
	sampled := io.MultiWriter(&plain, z)
	about.Size = state.Measure(func(record []byte) {
		if _, failed := sampled.Write(record); failed != nil {
			err = failed
		}
	})
	if err = errors.Join(err, z.Close()); err != nil {
		return 0, err
	}
	if float64(small) <= worthwhile*float64(plain) {
		return gzip.BestSpeed, nil
	}
	return gzip.NoCompression, nil
}

// counter counts what is written.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// tarWriter writes the files.
type tarWriter struct {
	*tar.Writer
	taken time.Time
	stop  <-chan struct{}
}

func (t *tarWriter) files(state *kernel.Snapshot, about Meta) error {
	described, err := json.Marshal(&about)
	if err != nil {
		return err
	}
	described = append(described, '\n')
	if err := t.file(metaFile, described); err != nil {
		return err
	}
	if err := t.begin(stateFile, about.Size); err != nil {
		return err
	}
	sum := sha256.New()
	_, err = state.WriteTo(writerFunc(func(p []byte) (int, error) {
		if stopped(t.stop) {
			return 0, ErrStopped
		}
		sum.Write(p) // never fails
		return t.Write(p)
	}))
	if err != nil {
		return err
	}
	return t.file(sumsFile, appendSums(nil, sha256.Sum256(described), [sha256.Size]byte(sum.Sum(nil))))
}

func (t *tarWriter) begin(name string, size int64) error {
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: t.taken.Truncate(time.Second)})
}

func (t *tarWriter) file(name string, content []byte) error {
	if err := t.begin(name, int64(len(content))); err != nil {
		return err
	}
	_, err := t.Write(content)
	return err
}

// appendSums appends the content of SHA256SUMS.
func appendSums(b []byte, described, state [sha256.Size]byte) []byte {
	return fmt.Appendf(b, "%x  %s\n%x  %s\n", described, metaFile, state, stateFile)
}

type writerFunc func(p []byte) (int, error)

// Write implements io.Writer.
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
