package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
)

// The header file holds the log's salt and, while a reset is under way, the
// index it leads to. It is only ever replaced as a whole.
const (
	headerFile      = "header"
	headerMagic     = "HFL\x01"
	headerFileBytes = 4 + 4 + saltBytes + 8
)

// logHeader is the content of the header file.
type logHeader struct {
	salt [saltBytes]byte
	// resetTo is not 0 from the moment a reset is decided until it is done:
	// whatever segments there are, the log is empty and starts there. A new
	// log is one whose reset to 1 is not done yet.
	resetTo uint64
}

func newLogHeader() (logHeader, error) {
	h := logHeader{resetTo: 1}
	if _, err := rand.Read(h.salt[:]); err != nil {
		return h, fmt.Errorf("draw a salt: %w", err)
	}
	return h, nil
}

func (h logHeader) encode() []byte {
	b := append(make([]byte, 0, headerFileBytes), headerMagic...)
	b = append(b, 0, 0, 0, 0)
	b = append(b, h.salt[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.resetTo)
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

func decodeLogHeader(b []byte) (h logHeader, bad string) {
	switch {
	case len(b) != headerFileBytes:
		return h, fmt.Sprintf("%d bytes long, must be %d", len(b), headerFileBytes)
	case string(b[:4]) != headerMagic:
		return h, "not the header of a log of this version"
	case binary.LittleEndian.Uint32(b[4:]) != crc32.Checksum(b[8:], castagnoli):
		return h, "checksum does not match"
	}
	copy(h.salt[:], b[8:])
	h.resetTo = binary.LittleEndian.Uint64(b[8+saltBytes:])
	return h, ""
}

// readLogHeader returns fs.ErrNotExist (wrapped) for a directory without one.
func readLogHeader(dir string) (logHeader, error) {
	path := filepath.Join(dir, headerFile)
	b, err := readBounded(path, headerFileBytes)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorrupt) {
			return logHeader{}, err
		}
		return logHeader{}, fmt.Errorf("read header of the log: %w", err)
	}
	h, bad := decodeLogHeader(b)
	if bad != "" {
		return h, &Fault{File: path, Cause: bad}
	}
	return h, nil
}

func writeLogHeader(dir string, h logHeader) error {
	if err := replaceFile(filepath.Join(dir, headerFile), h.encode()); err != nil {
		return fmt.Errorf("write header of the log: %w", err)
	}
	return nil
}
