package wal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// newMember is a data directory as a member leaves it.
func newMember(t *testing.T) (*dataDir, string) {
	d := newDataDir(t)
	require.NoError(t, d.l.Reset(11))
	store(t, d.l, entries(11, 60, 7)...)
	snap(t, d.s, 10, 6)
	id := snap(t, d.s, 30, 7)
	require.NoError(t, d.l.Close())
	return d, id
}

func TestVerifyReportsWhatThereIs(t *testing.T) {
	d, _ := newMember(t)
	for _, dir := range []string{d.root, filepath.Join(d.root, "raft")} {
		r, err := Verify(dir)
		require.NoError(t, err)
		require.Equal(t, Report{FirstIndex: 11, LastIndex: 60, Segments: len(d.l.segs), Bytes: int64(d.l.BytesSince(0)), Term: 7,
			Snapshots: []string{"7-30-2", "6-10-1"}}, r)
		var out bytes.Buffer
		require.NoError(t, Inspect(&out, dir))
		for _, want := range []string{segmentName(11), "11 to ", " to 60, last of term 7", "synced up to entry 60", "CurrentTerm: 7", "LastVoteCand: \"me\"", "7-30-2: index 30, term 7"} {
			require.Contains(t, out.String(), want)
		}
	}
	_, err := Verify(t.TempDir())
	require.ErrorContains(t, err, "name a data directory")
	require.ErrorContains(t, Inspect(new(bytes.Buffer), "/nonexistent"), "name a data directory")
}

// Both tools name the first damage by file and offset, and what a start would
// put right; neither changes a byte.
func TestVerifyNamesTheFault(t *testing.T) {
	for name, c := range map[string]struct {
		plant  func(d *dataDir, id string)
		file   string // empty: no fault
		offset func(d *dataDir) int64
	}{
		"torn tail": {func(d *dataDir, id string) {
			edit(t, lastOf(segmentFiles(t, d.l.dir)), appendTo(append(make([]byte, 99), 1)))
		}, "", nil},
		"rotten log": {func(d *dataDir, id string) { edit(t, segmentFiles(t, d.l.dir)[1], flip(int(d.l.segs[1].offs[2]))) }, "segment", func(d *dataDir) int64 { return int64(d.l.segs[1].offs[2]) }},
		"reset under way": {func(d *dataDir, id string) {
			h, err := readLogHeader(d.l.dir)
			require.NoError(t, err)
			h.resetTo = 31
			require.NoError(t, writeLogHeader(d.l.dir, h))
		}, "", nil},
		"snapshot to set aside": {func(d *dataDir, id string) { d.damage(t, id) }, "state", nil},
		"old snapshot rotten":   {func(d *dataDir, id string) { d.damage(t, "6-10-1") }, "state", nil},
		"stable rotten":         {func(d *dataDir, id string) { edit(t, filepath.Join(d.root, "raft", "stable", stableFile), flip(30)) }, stableFile, nil},
		"header rotten":         {func(d *dataDir, id string) { edit(t, filepath.Join(d.l.dir, headerFile), flip(30)) }, headerFile, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, id := newMember(t)
			c.plant(d, id)
			file, offset := c.file, int64(0)
			if file == "segment" {
				file = segmentFiles(t, d.l.dir)[1]
			}
			if c.offset != nil {
				offset = c.offset(d)
			}
			before := tree(t, d.root)
			r, err := Verify(d.root)
			var out bytes.Buffer
			ierr := Inspect(&out, d.root)
			require.Equal(t, before, tree(t, d.root))
			if file == "" {
				require.NoError(t, err)
				require.NoError(t, ierr)
				require.True(t, r.Torn != "" || r.Reset != 0)
				require.Regexp(t, "next start cuts off 100 bytes|being reset to start with entry 31", out.String())
				return
			}
			requireFault(t, err, file, offset)
			requireFault(t, ierr, file, offset)
			require.Contains(t, out.String(), "FAULT")
		})
	}
}

func tree(t *testing.T, root string) map[string]string {
	all := map[string]string{}
	require.NoError(t, filepath.Walk(root, func(path string, fi os.FileInfo, err error) error {
		if err != nil || fi.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	}))
	return all
}

func TestInspectTellsWriteErrors(t *testing.T) {
	d, _ := newMember(t)
	require.ErrorIs(t, Inspect(badWriter{}, d.root), errBadWriter)
}

var errBadWriter = errors.New("no space")

type badWriter struct{}

func (badWriter) Write([]byte) (int, error) { return 0, errBadWriter }

// What a start refuses because it is missing, Verify names as missing, and not
// as a file that could not be opened.
func TestVerifyNamesWhatIsMissing(t *testing.T) {
	for name, words := range map[string]string{
		"log/header":    "log/header: offset 0: the file is missing, but there are others of the log",
		"stable/stable": "stable/stable: offset 0: term and vote are missing beside a log that reaches entry 3",
	} {
		root := t.TempDir()
		l := open(t, filepath.Join(root, "log"))
		store(t, l, entries(1, 3, 1)...)
		require.NoError(t, l.Close())
		require.NoError(t, openStable(t, filepath.Join(root, "stable")).SetUint64(curTerm, 1))
		_, err := Verify(root)
		require.NoError(t, err, "no snapshots directory is no damage")
		require.NoError(t, os.Remove(filepath.Join(root, name)))
		_, err = Verify(root)
		require.ErrorIs(t, err, ErrCorrupt)
		require.ErrorContains(t, err, words)
	}
}
