package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"slices"
)

const (
	stableMagic     = "HFV\x01"
	stableHeadBytes = 4 + 4 + 8 + 4
	maxStableBytes  = stableHeadBytes + MaxStableKeys*(2+4+MaxStableKeyBytes+MaxStableValueBytes)
)

// stableRecord is the content of the stable file.
type stableRecord struct {
	gen    uint64
	values map[string][]byte
}

func (r stableRecord) encode() []byte {
	le := binary.LittleEndian
	b := append([]byte(stableMagic), 0, 0, 0, 0)
	b = le.AppendUint64(b, r.gen)
	b = le.AppendUint32(b, uint32(len(r.values)))
	for _, k := range slices.Sorted(maps.Keys(r.values)) {
		b = le.AppendUint16(b, uint16(len(k)))
		b = le.AppendUint32(b, uint32(len(r.values[k])))
		b = append(b, k...)
		b = append(b, r.values[k]...)
	}
	le.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

// decodeStable accepts only what encode makes: sorted keys, nothing after them.
func decodeStable(b []byte) (r stableRecord, bad string) {
	le := binary.LittleEndian
	switch {
	case len(b) < stableHeadBytes:
		return r, fmt.Sprintf("%d bytes are too few for a record", len(b))
	case string(b[:4]) != stableMagic:
		return r, "not a stable record of this version"
	case le.Uint32(b[4:]) != crc32.Checksum(b[8:], castagnoli):
		return r, "checksum does not match"
	}
	r = stableRecord{gen: le.Uint64(b[8:]), values: map[string][]byte{}}
	n := le.Uint32(b[16:])
	if n > MaxStableKeys {
		return r, fmt.Sprintf("%d keys are more than there can be", n)
	}
	b = b[stableHeadBytes:]
	last := ""
	for i := range n {
		if len(b) < 6 {
			return r, "a key is cut off"
		}
		kl, vl := int(le.Uint16(b)), int(le.Uint32(b[2:]))
		if kl > MaxStableKeyBytes || vl > MaxStableValueBytes || len(b) < 6+kl+vl {
			return r, "a key is cut off or too long"
		}
		key := string(b[6 : 6+kl])
		if i > 0 && key <= last {
			return r, "keys are not in order"
		}
		r.values[key], last = b[6+kl:6+kl+vl:6+kl+vl], key
		b = b[6+kl+vl:]
	}
	if len(b) > 0 {
		return r, "bytes follow the last key"
	}
	return r, ""
}

// readStable returns an empty record with fs.ErrNotExist if there is no file.
func readStable(path string) (stableRecord, error) {
	empty := stableRecord{values: map[string][]byte{}}
	b, err := readBounded(path, maxStableBytes)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorrupt) {
			return empty, err
		}
		return empty, fmt.Errorf("read stable record: %w", err)
	}
	r, bad := decodeStable(b)
	if bad != "" {
		return empty, &Fault{File: path, Cause: bad}
	}
	return r, nil
}

// be64 reads a number as raft's stable stores write it.
func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
