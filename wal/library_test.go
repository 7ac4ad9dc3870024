package wal

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The memory in which tidwall/wal holds the last segment is got once: it neither
// grows while a segment fills, nor is it other memory for the next segment, after
// a cut or in a log opened again. A version of the library that holds it in
// another way fails here, and costs what the type library says.
func TestLastSegmentsMemoryIsGotOnce(t *testing.T) {
	const size = 16 << 10
	dir := t.TempDir()
	for range 2 {
		l, err := Open(dir, Options{SegmentBytes: size})
		require.NoError(t, err)
		held := func() []byte {
			b := tailBuffer(l.tail.(*library).Log)
			require.NotNil(t, b, "tidwall/wal has no such field any more")
			return *b
		}
		memory := &held()[:1][0]
		last, err := l.LastIndex()
		require.NoError(t, err)
		segments := len(l.segs)
		for len(l.segs) < segments+3 {
			last++
			es := entries(last, last, 1)
			es[0].Data = bytes.Repeat([]byte{byte(last)}, 300)
			require.NoError(t, l.StoreLogs(es))
			assert.Same(t, memory, &held()[:1][0], "entry %d", last)
			assert.GreaterOrEqual(t, cap(held()), size)
		}
		require.NoError(t, l.DeleteRange(last-2, last))
		assert.GreaterOrEqual(t, cap(held()), size)
		require.NoError(t, l.Close())
	}
	im, err := examine(dir)
	require.NoError(t, err)
	assert.Greater(t, len(im.segs), 3)
}

// An entry beyond what was reserved is stored all the same, and the segment after
// it has the reserved memory again.
func TestEntryBeyondReservedMemory(t *testing.T) {
	const size = 16 << 10
	l, err := Open(t.TempDir(), Options{SegmentBytes: size})
	require.NoError(t, err)
	defer l.Close()
	b := l.tail.(*library)
	es := entries(1, 2, 1)
	es[0].Data = bytes.Repeat([]byte("x"), 3*size)
	require.NoError(t, l.StoreLogs(es))
	assert.Equal(t, cap(b.buffer), cap(*tailBuffer(b.Log)))
	assert.Len(t, l.segs, 2)
}
