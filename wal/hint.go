package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// The hint file holds the log's watermark. It is overwritten in place after
// each sync of the log, and not itself synced: after a power cut it is old, new
// or unreadable. Old and unreadable merely prove less. It must never be ahead
// of the log, hence lower.
const (
	hintFile  = "hint"
	hintMagic = "HFH\x01"
	hintBytes = 4 + 4 + 4*8
)

func encodeHint(k frameKey, w watermark, batch uint64) []byte {
	b := append(make([]byte, 0, hintBytes), hintMagic...)
	b = append(b, 0, 0, 0, 0)
	for _, v := range []uint64{w.index, w.segment, uint64(w.offset), batch} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	binary.LittleEndian.PutUint32(b[4:], crc32.Update(uint32(k), castagnoli, b[8:]))
	return b
}

func decodeHint(b []byte, k frameKey) (w watermark, batch uint64, bad string) {
	switch {
	case len(b) != hintBytes:
		return w, 0, fmt.Sprintf("%d bytes long, must be %d", len(b), hintBytes)
	case string(b[:4]) != hintMagic:
		return w, 0, "not a hint of this version"
	case binary.LittleEndian.Uint32(b[4:]) != crc32.Update(uint32(k), castagnoli, b[8:]):
		return w, 0, "checksum does not match"
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8+8*i:]) }
	w = watermark{index: word(0), segment: word(1), offset: int64(word(2))}
	if w.offset < 0 || w.segment == 0 {
		return watermark{}, 0, "no such place in a log"
	}
	return w, word(3), ""
}

// readHint returns the zero watermark and a reason if there is no usable hint,
// which is never an error: an honest power cut leaves one like that.
func readHint(dir string, k frameKey) (w watermark, batch uint64, bad string, err error) {
	b, err := readBounded(filepath.Join(dir, hintFile), hintBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return w, 0, "there is none", nil
	case errors.Is(err, ErrCorrupt):
		return w, 0, "it is too long", nil
	case err != nil:
		return w, 0, "", fmt.Errorf("read hint: %w", err)
	}
	w, batch, bad = decodeHint(b, k)
	return w, batch, bad, nil
}

// hint keeps the hint file open for overwriting.
type hint struct {
	f *os.File
	k frameKey
}

func openHint(dir string, k frameKey) (*hint, error) {
	f, err := create(filepath.Join(dir, hintFile), 0)
	if err != nil {
		return nil, fmt.Errorf("open hint: %w", err)
	}
	// A damaged hint may have any length; overwriting alone would not cure it.
	if err := truncate(f, hintBytes); err != nil {
		f.Close()
		return nil, fmt.Errorf("open hint: %w", err)
	}
	return &hint{f: f, k: k}, nil
}

// put overwrites the hint, after the bytes it speaks of have been synced. An
// error counts like any failed write: the disk that refuses these forty bytes
// is not to be trusted with the next batch.
func (h *hint) put(w watermark, batch uint64) error {
	if err := writeAt(h.f, encodeHint(h.k, w, batch), 0); err != nil {
		return fmt.Errorf("write hint: %w", err)
	}
	return nil
}

func (h *hint) close() error { return h.f.Close() }

// lowerHint replaces the hint durably, before bytes that it may speak of are cut
// off. Replacing the file, not overwriting it, also takes care of writes to the
// old one that the system has not carried out yet.
func lowerHint(dir string, k frameKey, w watermark, batch uint64) error {
	if err := replaceFile(filepath.Join(dir, hintFile), encodeHint(k, w, batch)); err != nil {
		return fmt.Errorf("lower hint: %w", err)
	}
	return nil
}
