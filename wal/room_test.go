package wal

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The last segment is longer than its records: the next batch does not change its
// length. A full segment is not, and neither is any after Close.
func TestRoom(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, func(o *Options) { o.SegmentBytes = 200 << 10 })
	length := func() int64 {
		fi, err := os.Stat(lastOf(segmentFiles(t, dir)))
		require.NoError(t, err)
		return fi.Size()
	}
	store(t, l, entries(1, 10, 1)...)
	first := length()
	require.EqualValues(t, recordBytes(t, segmentFiles(t, dir)[0])+minRoomBytes, first)
	next := uint64(11)
	for ; len(segmentFiles(t, dir)) == 1; next += 10 {
		store(t, l, entries(next, next+9, 1)...)
		grown := length()
		require.LessOrEqual(t, grown, int64(200<<10))
		if next < 400 {
			require.Equal(t, first, grown)
		}
	}
	full := segmentFiles(t, dir)[0]
	require.EqualValues(t, recordBytes(t, full), l.segs[0].size)
	fi, err := os.Stat(full)
	require.NoError(t, err)
	require.Equal(t, l.segs[0].size, fi.Size())

	store(t, l, entries(next, next+9, 1)...)
	require.Greater(t, length(), l.segs[1].size)
	killed := copyDir(t, dir)
	require.NoError(t, l.Close())
	require.Equal(t, l.segs[1].size, length())
	requireHolds(t, open(t, dir), 1, next+9, 1)

	// A process that was killed leaves the room: no damage, nothing to be told.
	im, err := examine(killed)
	require.NoError(t, err)
	require.Empty(t, im.torn)
	require.Positive(t, im.room)
	told := 0
	l = open(t, killed, func(o *Options) { o.Logf = func(string, ...any) { told++ } })
	require.Zero(t, told)
	requireHolds(t, l, 1, next+9, 1)
	store(t, l, entries(next+10, next+10, 1)...)
	requireHolds(t, l, 1, next+10, 1)
}

// Zeros in the place of what had been synced are damage, as ever: room is what no
// sync had reached.
func TestZerosThatWereRecordsAreDamage(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, bigSegments)
	store(t, l, entries(1, 5, 1)...)
	store(t, l, entries(6, 9, 1)...)
	killed := copyDir(t, dir)
	last := segmentFiles(t, killed)[0]
	edit(t, last, func(b []byte) []byte {
		clear(b[l.segs[0].offs[5]:])
		return b
	})
	_, err := tryOpen(t, killed)
	requireFault(t, err, last, int64(l.segs[0].offs[5]))
	require.ErrorContains(t, err, "only zeros follow, but entry 9")
}

// The room grows with the segment, between its bounds, and ends with it.
func TestRoomIsBounded(t *testing.T) {
	for _, c := range []struct{ size, limit, end int64 }{
		{1, 4 << 20, 1 + minRoomBytes},
		{200 << 10, 4 << 20, 400 << 10},
		{3 << 20, 8 << 20, 4 << 20},
		{3 << 20, 3<<20 + 7, 3<<20 + 7},
		{3 << 20, 1 << 20, 3 << 20},
	} {
		f, err := os.Create(segmentPath(t.TempDir(), 1))
		require.NoError(t, err)
		r := &room{f: f}
		require.NoError(t, r.extend(c.size, c.limit))
		require.Equal(t, c.end, r.end)
		fi, err := f.Stat()
		require.NoError(t, err)
		if c.end > c.size {
			require.Equal(t, c.end, fi.Size())
		}
		require.NoError(t, r.trim(c.size))
		require.NoError(t, r.close())
	}
}

// What is looked at beside a member that runs may be written between two looks,
// with the proof that it was synced: that is no damage.
func TestLookBesideAMemberThatRuns(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, bigSegments)
	store(t, l, entries(1, 5, 1)...)
	s, err := scanSegment(dir, l.key, 1)
	require.NoError(t, err)
	require.True(t, s.room)
	store(t, l, entries(6, 9, 1)...)
	store(t, l, entries(10, 12, 1)...)
	require.NoError(t, s.settle(dir, l.key))
	require.EqualValues(t, 13, s.next())
	require.Zero(t, s.proof)
	require.True(t, s.room)

	edit(t, segmentFiles(t, dir)[0], func(b []byte) []byte {
		clear(b[l.segs[0].offs[5]:l.segs[0].offs[6]])
		return b
	})
	s, err = scanSegment(dir, l.key, 1)
	require.NoError(t, err)
	require.NoError(t, s.settle(dir, l.key))
	require.EqualValues(t, 6, s.next())
	require.EqualValues(t, l.segs[0].offs[9]+1, s.proof, "the header of the batch after it")
}
