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
	// sampledFirst blocks of the state are tried for how well they compress, and
	// then each sampledEach-th.
	sampledFirst = 4
	sampledEach  = 64
	// worthwhile is what a sample must shrink to at the most for the archive to
	// be compressed by more than a code for its bytes: hardly compressible data
	// costs a compressor that looks for repetitions four times as much.
	worthwhile = 0.5
)

// Write writes the archive of a state to w. The state is read twice, since a tar
// says how long a file is before it: once for its size and for how well samples
// of it compress, once to be written. Errors: w's, wrapped, and ErrStopped when
// stop was closed before the end. What was written then is no archive, and Read
// says so.
func Write(w io.Writer, state *kernel.Snapshot, about Meta, stop <-chan struct{}) error {
	level, err := survey(state, &about, stop)
	if err != nil {
		return fmt.Errorf("write archive: size of the state: %w", err)
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

// survey fills in the size of the state and chooses how to compress it.
func survey(state *kernel.Snapshot, about *Meta, stop <-chan struct{}) (level int, err error) {
	s := &sampler{stop: stop}
	if s.z, err = gzip.NewWriterLevel(&s.small, gzip.BestSpeed); err != nil {
		return 0, err
	}
	if about.Size, err = state.WriteTo(s); err != nil {
		return 0, err
	}
	if err := s.z.Close(); err != nil {
		return 0, err
	}
	if float64(s.small) <= worthwhile*float64(s.plain) {
		return gzip.BestSpeed, nil
	}
	return gzip.HuffmanOnly, nil
}

// sampler compresses some of the blocks written to it.
type sampler struct {
	stop   <-chan struct{}
	blocks int
	z      *gzip.Writer
	plain  int64   // bytes that went in
	small  counter // and came out
}

// Write implements io.Writer. The kernel writes a block at a time.
func (s *sampler) Write(p []byte) (int, error) {
	if stopped(s.stop) {
		return 0, ErrStopped
	}
	s.blocks++
	if s.blocks > sampledFirst && s.blocks%sampledEach != 0 {
		return len(p), nil
	}
	s.plain += int64(len(p))
	return s.z.Write(p)
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
