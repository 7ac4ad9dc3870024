package wal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// Every decoder takes any bytes without panicking, and what it accepts is what
// its encoder makes.

func FuzzFrame(f *testing.F) {
	e := &raft.Log{Index: 9, Term: 3, Type: raft.LogCommand, Data: []byte("data"), Extensions: []byte("ext"), AppendedAt: time.Unix(5, 6)}
	f.Add(appendFrame(nil, 77, 5, 200, e, 4, watermark{index: 8, segment: 5, offset: 190}), uint32(77), uint64(5), int64(200), uint64(9))
	f.Add([]byte(frameMagic), uint32(0), uint64(0), int64(0), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, key uint32, segment uint64, pos int64, index uint64) {
		n, width, bad := decodePrefix(b)
		if bad == "" {
			require.Equal(t, prefixLen(n), width)
		}
		h, bad := decodeFrame(b, frameKey(key), segment, pos, index)
		if bad != "" {
			return
		}
		got := h.entry(b)
		again := appendFrame(nil, frameKey(key), segment, pos, &got, h.batch, h.durable)
		require.Equal(t, b, again)
		for i := range b {
			_, bad := decodeFrame(flip(i)(bytes.Clone(b)), frameKey(key), segment, pos, index)
			require.NotEmpty(t, bad, "flip of byte %d", i)
		}
		_, bad = decodeFrame(b, frameKey(key), segment, pos+1, index)
		require.NotEmpty(t, bad, "elsewhere")
		_, bad = decodeFrame(b, frameKey(key^1), segment, pos, index)
		require.NotEmpty(t, bad, "other log")
	})
}

func FuzzHint(f *testing.F) {
	f.Add(encodeHint(5, watermark{index: 1, segment: 2, offset: 3}, 4), uint32(5))
	f.Fuzz(func(t *testing.T, b []byte, key uint32) {
		w, batch, bad := decodeHint(b, frameKey(key))
		if bad == "" {
			require.Equal(t, b, encodeHint(frameKey(key), w, batch))
		}
	})
}

func FuzzLogHeader(f *testing.F) {
	f.Add(logHeader{salt: [saltBytes]byte{1}, resetTo: 9}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, bad := decodeLogHeader(b)
		if bad == "" {
			require.Equal(t, b, h.encode())
		}
	})
}

func FuzzStableRecord(f *testing.F) {
	f.Add(stableRecord{gen: 3, values: map[string][]byte{"a": []byte("b"), "": nil}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, bad := decodeStable(b)
		if bad == "" {
			require.Equal(t, b, r.encode())
		}
	})
}

func FuzzSnapshotMeta(f *testing.F) {
	m := snapMeta{SnapshotMeta: raft.SnapshotMeta{Version: 1, ID: "1-2-3", Index: 2, Term: 1, Configuration: someServers, Size: 9}, StateCRC64: 1 << 63}
	b, err := m.encode()
	require.NoError(f, err)
	f.Add(b)
	f.Add(b[:snapHeadBytes])
	f.Fuzz(func(t *testing.T, b []byte) {
		m, bad := decodeSnapMeta(b)
		if bad != "" {
			return
		}
		again, err := m.encode()
		require.NoError(t, err)
		back, bad := decodeSnapMeta(again)
		require.Empty(t, bad)
		require.Equal(t, m, back)
	})
}

// Whatever follows the synced entries in the last file, the log opens with all
// of them, or refuses; it is never short of one, and never has one too many.
func FuzzSegmentTail(f *testing.F) {
	base := f.TempDir()
	l := open(f, base, bigSegments)
	store(f, l, entries(1, 5, 1)...)
	require.NoError(f, l.Close())
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{88, 'H', 'F', 'R', 1})
	f.Fuzz(func(t *testing.T, tail []byte) {
		dir := copyDir(t, base)
		edit(t, filepath.Join(dir, segmentName(1)), appendTo(tail))
		l, err := Open(dir, Options{})
		require.NoError(t, err)
		requireHolds(t, l, 1, 5, 1)
		require.NoError(t, l.Close())
	})
}

// Any content of all files at once: no panic.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte("header"), []byte("hint"), []byte("segment"), uint64(1))
	base := f.TempDir()
	l := open(f, base)
	store(f, l, entries(1, 3, 1)...)
	require.NoError(f, l.Close())
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(base, name))
		require.NoError(f, err)
		return b
	}
	f.Add(read(headerFile), read(hintFile), read(segmentName(1)), uint64(1))
	f.Fuzz(func(t *testing.T, header, hint, segment []byte, first uint64) {
		dir := t.TempDir()
		for name, b := range map[string][]byte{headerFile: header, hintFile: hint, segmentName(first): segment} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		}
		if l, err := Open(dir, Options{}); err == nil {
			require.NoError(t, l.Close())
		}
	})
}
