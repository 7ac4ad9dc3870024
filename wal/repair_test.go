package wal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

func bigSegments(o *Options) { o.SegmentBytes = 1 << 20 }

// unsynced returns a log directory of which the last StoreLogs (of batch) was
// interrupted: its bytes are in the file, but nothing says they were synced. It
// also returns where each of its records starts, and where the last ends.
func unsynced(t *testing.T, before []*raft.Log, batch []*raft.Log) (dir string, at []int64) {
	dir = t.TempDir()
	l := open(t, dir, bigSegments)
	store(t, l, before...)
	hint, err := os.ReadFile(filepath.Join(dir, hintFile))
	require.NoError(t, err)
	store(t, l, batch...)
	s := l.segs[0]
	for _, o := range s.offs[len(before):] {
		at = append(at, int64(o))
	}
	at = append(at, s.size)
	require.NoError(t, l.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, hintFile), hint, 0o600))
	return dir, at
}

// A last write that was cut off at any byte is repaired: what had been synced is
// all there, nothing else but whole entries of the interrupted batch, and the
// log takes further entries.
func TestTornTail(t *testing.T) {
	dir, at := unsynced(t, entries(1, 5, 1), entries(6, 7, 1))
	segment := segmentFiles(t, dir)[0]
	whole, err := os.ReadFile(segment)
	require.NoError(t, err)
	for size := at[0]; size <= at[2]; size++ {
		require.NoError(t, os.WriteFile(segment, whole[:size], 0o600))
		last := uint64(5)
		if size >= at[1] {
			last = 6
		}
		if size == at[2] {
			last = 7
		}
		l, err := tryOpen(t, copyDir(t, dir), bigSegments)
		require.NoError(t, err)
		requireHolds(t, l, 1, last, 1)
		store(t, l, entries(last+1, last+3, 1)...)
		require.NoError(t, l.Close())
		l, err = tryOpen(t, l.dir, bigSegments)
		require.NoError(t, err)
		requireHolds(t, l, 1, last+3, 1)
		require.NoError(t, l.Close())
	}
}

// What an interrupted write can leave after the last good record is cut off and
// told, and makes no entries.
func TestTailsThatAreNoRecords(t *testing.T) {
	other := open(t, t.TempDir(), bigSegments)
	store(t, other, entries(1, 5, 1)...)
	store(t, other, entries(6, 9, 1)...)
	foreign, err := os.ReadFile(segmentFiles(t, other.dir)[0])
	require.NoError(t, err)
	foreign = foreign[other.segs[0].offs[5]:] // in the very place they would have here

	for name, tail := range map[string][]byte{
		"zeros":                      make([]byte, 4096),
		"one empty record":           {0},
		"zeros and then some":        append(make([]byte, 4096), 1),
		"the records of another log": foreign,
		"a length and nothing else":  {0x80, 0x01},
		"an endless length":          {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a length in a longer form":  {0x80, 0x00},
		"the magic only":             []byte(frameMagic),
		"magics without end":         []byte(strings.Repeat(frameMagic, 1<<19)),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, bigSegments)
			store(t, l, entries(1, 5, 1)...)
			require.NoError(t, l.Close())
			edit(t, segmentFiles(t, dir)[0], appendTo(tail))
			var told []string
			l = open(t, dir, bigSegments, func(o *Options) {
				o.Logf = func(f string, args ...any) { told = append(told, f) }
			})
			requireHolds(t, l, 1, 5, 1)
			if len(bytes.Trim(tail, "\x00")) > 0 { // else it may be room, and as good
				require.Len(t, told, 1)
			}
			store(t, l, entries(6, 6, 1)...)
			requireHolds(t, l, 1, 6, 1)
		})
	}
}

// The sectors of one unsynced batch become durable in any order: a good record
// after a bad one does not prove that the bad one had been synced.
func TestUnsyncedBatchInAnyOrder(t *testing.T) {
	for bad := 0; bad < 4; bad++ {
		dir, at := unsynced(t, entries(1, 5, 1), entries(6, 9, 1))
		edit(t, segmentFiles(t, dir)[0], func(b []byte) []byte {
			clear(b[at[bad]:at[bad+1]])
			return b
		})
		l := open(t, dir, bigSegments)
		requireHolds(t, l, 1, uint64(5+bad), 1)
	}
}

// A client's value that holds a record of this very log, whose watermark would
// call the tear damage, proves nothing: records are valid only in their place.
func TestValueThatEmbedsARecord(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, bigSegments)
	store(t, l, entries(1, 5, 1)...)
	store(t, l, entries(6, 9, 1)...)
	own, err := os.ReadFile(segmentFiles(t, dir)[0])
	require.NoError(t, err)
	own = own[l.segs[0].offs[5]:]
	require.NoError(t, l.DeleteRange(1, 9)) // start over in the same log
	require.NoError(t, l.Close())
	edit(t, segmentFiles(t, dir)[0], appendTo(append([]byte{0xff}, own...)))
	requireHolds(t, open(t, dir, bigSegments), 1, 0, 1)
}

// Damage to anything that had been synced, at any byte of the log, is refused
// and located, no matter whether the hint survived.
func TestBitRotIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for i := uint64(1); i < 30; i += 3 {
		store(t, l, entries(i, i+2, 1)...)
	}
	files, segs := segmentFiles(t, dir), l.segs
	require.Greater(t, len(files), 3)
	require.NoError(t, l.Close())
	lastBatch := l.segs[len(segs)-1].offs[len(lastOf(segs).offs)-3]
	for i, path := range files {
		for at := 0; at < int(segs[i].size); at += 7 {
			for _, hint := range []bool{true, false} {
				if !hint && i == len(files)-1 && at >= int(lastBatch) {
					continue // see TestRotInTheLastBatch
				}
				d := copyDir(t, dir)
				edit(t, filepath.Join(d, filepath.Base(path)), flip(at))
				if !hint {
					require.NoError(t, os.Remove(filepath.Join(d, hintFile)))
				}
				_, err := tryOpen(t, d)
				s, n := segs[i], 0
				for n+1 < len(s.offs) && int(s.offs[n+1]) <= at {
					n++
				}
				requireFault(t, err, path, int64(s.offs[n]))
			}
		}
	}
}

// Damage in the last segment, before the last batch, is proven by the watermarks
// of later records, as long as any of these has kept its header.
func TestWatermarksProveRot(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, bigSegments)
	for i := uint64(1); i < 30; i += 3 {
		store(t, l, entries(i, i+2, 1)...)
	}
	segment, offs := segmentFiles(t, dir)[0], l.segs[0].offs
	require.NoError(t, l.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, hintFile)))
	for at := 0; at < int(offs[27]); at += 5 {
		d := copyDir(t, dir)
		edit(t, filepath.Join(d, filepath.Base(segment)), func(b []byte) []byte {
			clear(b[at:offs[29]])      // all up to the last record,
			return flip(len(b) - 1)(b) // of which only the header is good
		})
		_, err := tryOpen(t, d, bigSegments)
		n := 0
		for n+1 < len(offs) && int(offs[n+1]) <= at {
			n++
		}
		requireFault(t, err, segment, int64(offs[n]))
	}
}

// Damage in the last batch is known as such from the hint alone. Without it, it
// looks like a tear, and is taken for one: the one case that cannot be told.
func TestRotInTheLastBatch(t *testing.T) {
	dir, at := unsynced(t, entries(1, 5, 1), entries(6, 9, 1))
	edit(t, segmentFiles(t, dir)[0], flip(int(at[1])+50))
	requireHolds(t, open(t, copyDir(t, dir), bigSegments), 1, 6, 1)

	l := open(t, t.TempDir(), bigSegments)
	store(t, l, entries(1, 9, 1)...)
	require.NoError(t, l.Close())
	edit(t, segmentFiles(t, l.dir)[0], flip(int(l.segs[0].offs[6])+50))
	_, err := tryOpen(t, l.dir, bigSegments)
	requireFault(t, err, segmentFiles(t, l.dir)[0], int64(l.segs[0].offs[6]))
}

// Files that are missing, foreign, or end too early are refused.
func TestFilesThatDoNotFit(t *testing.T) {
	base := t.TempDir()
	l := open(t, base)
	store(t, l, entries(1, 30, 1)...)
	segs := l.segs
	require.NoError(t, l.Close())
	files := segmentFiles(t, base)
	last := lastOf(files)
	for name, c := range map[string]struct {
		plant  func(dir string)
		file   string
		offset int64
	}{
		"a middle segment is missing": {func(d string) { os.Remove(filepath.Join(d, filepath.Base(files[1]))) }, files[0], segs[0].size},
		"the last segment is missing": {func(d string) { os.Remove(filepath.Join(d, filepath.Base(last))) }, last, 0},
		"all segments are missing": {func(d string) {
			for _, f := range files {
				os.Remove(filepath.Join(d, filepath.Base(f)))
			}
		}, "", 0},
		"a middle segment lost its end": {func(d string) {
			os.Truncate(filepath.Join(d, filepath.Base(files[1])), int64(segs[1].offs[1]))
		}, files[1], int64(segs[1].offs[1])},
		"a middle segment has more": {func(d string) {
			edit(t, filepath.Join(d, filepath.Base(files[1])), appendTo([]byte{0}))
		}, files[1], segs[1].size},
		"the last segment lost its end": {func(d string) {
			os.Truncate(filepath.Join(d, filepath.Base(last)), int64(lastOf(segs).offs[1]))
		}, last, int64(lastOf(segs).offs[1])},
		"the header is missing":      {func(d string) { os.Remove(filepath.Join(d, headerFile)) }, headerFile, 0},
		"the header is damaged":      {func(d string) { edit(t, filepath.Join(d, headerFile), flip(9)) }, headerFile, 0},
		"the header is too long":     {func(d string) { edit(t, filepath.Join(d, headerFile), appendTo([]byte{0})) }, headerFile, 0},
		"a half-done truncation":     {func(d string) { os.WriteFile(filepath.Join(d, segmentName(5)+".START"), nil, 0o600) }, segmentName(5) + ".START", 0},
		"a directory like a segment": {func(d string) { os.Mkdir(filepath.Join(d, segmentName(500)), 0o700) }, segmentName(500), 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyDir(t, base)
			c.plant(dir)
			if c.file == "" {
				c.file = dir
			}
			before := listing(t, dir)
			_, err := tryOpen(t, dir)
			requireFault(t, err, c.file, c.offset)
			require.Equal(t, before, listing(t, dir), "a refusal changes nothing")
		})
	}
}

func listing(t *testing.T, dir string) map[string]string {
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := map[string]string{}
	for _, f := range files {
		b, _ := os.ReadFile(filepath.Join(dir, f.Name()))
		all[f.Name()] = string(b)
	}
	return all
}

// Any hint that is not intact is no evidence, and no obstacle.
func TestDamagedHintIsIgnored(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"flipped":  flip(10),
		"empty":    func([]byte) []byte { return nil },
		"too long": appendTo(make([]byte, 100)),
		"of another log": func([]byte) []byte {
			return encodeHint(12345, watermark{index: 1 << 40, segment: 1 << 40, offset: 1}, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir)
			store(t, l, entries(1, 30, 1)...)
			require.NoError(t, l.Close())
			edit(t, filepath.Join(dir, hintFile), change)
			l = open(t, dir)
			requireHolds(t, l, 1, 30, 1)
			w, _, bad, err := readHint(dir, l.key)
			require.NoError(t, err)
			require.Empty(t, bad, "the next start has a good one")
			require.EqualValues(t, 30, w.index)
		})
	}
}

// What can be read at a start may not be durable: the process may have been
// killed before its sync, or its sync may have failed. So the part not known to
// be durable is written and synced again before anything is built on it.
func TestStartMakesTheTailDurable(t *testing.T) {
	dir, _ := unsynced(t, entries(1, 5, 1), entries(6, 9, 1))
	ops := record(t)
	requireHolds(t, open(t, dir, bigSegments), 1, 9, 1)
	name := filepath.Base(segmentFiles(t, dir)[0])
	requireOrder(t, *ops, "write "+name, "sync "+name, "syncdir "+filepath.Base(dir))
}

// requireOrder checks that the operations appear in this order.
func requireOrder(t testing.TB, ops []string, want ...string) {
	t.Helper()
	at := 0
	for _, op := range ops {
		if at < len(want) && op == want[at] {
			at++
		}
	}
	require.Equal(t, len(want), at, "operations %q do not have %q in order", ops, want)
}

// A program that stops with a full last segment leaves no successor of it.
func TestFullLastSegment(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	store(t, l, entries(1, 30, 1)...)
	require.NoError(t, l.Close())
	for _, size := range []int{1, 100, 1 << 20, 300} {
		l = open(t, dir, func(o *Options) { o.SegmentBytes = size })
		_, next := l.bounds()
		store(t, l, entries(next, next+5, 1)...)
		requireHolds(t, l, 1, next+5, 1)
		require.NoError(t, l.Close())
	}
}
