package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

var someServers = raft.Configuration{Servers: []raft.Server{
	{Suffrage: raft.Voter, ID: "1", Address: "a:1"}, {Suffrage: raft.Nonvoter, ID: "2", Address: "b:2"},
}}

func openSnaps(t testing.TB, dir string, retain int) *Snapshots {
	t.Helper()
	s, err := OpenSnapshots(dir, retain)
	require.NoError(t, err)
	s.LogTo(t.Logf)
	return s
}

func stateOf(index, term uint64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "state %d %d ", index, term), 20000)
}

func snap(t testing.TB, s *Snapshots, index, term uint64) string {
	t.Helper()
	k, err := s.Create(1, index, term, someServers, 2, nil)
	require.NoError(t, err)
	_, err = io.Copy(k, iotest.HalfReader(bytes.NewReader(stateOf(index, term))))
	require.NoError(t, err)
	require.NoError(t, k.Close())
	require.NoError(t, k.Close())
	require.NoError(t, k.Cancel())
	return k.ID()
}

func ids(t testing.TB, s *Snapshots) (ids []string) {
	t.Helper()
	metas, err := s.List()
	require.NoError(t, err)
	for _, m := range metas {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestSnapshotsSurvive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raft", "snapshots")
	id := snap(t, openSnaps(t, dir, 2), 100, 7)
	require.Equal(t, "7-100-1", id)
	s := openSnaps(t, dir, 2)
	metas, err := s.List()
	require.NoError(t, err)
	require.Len(t, metas, 1)
	meta, r, err := s.Open(id)
	require.NoError(t, err)
	defer r.Close()
	require.Equal(t, metas[0], meta)
	require.Equal(t, &raft.SnapshotMeta{Version: 1, ID: id, Index: 100, Term: 7, Configuration: someServers, ConfigurationIndex: 2, Size: int64(len(stateOf(100, 7)))}, meta)
	require.NoError(t, iotest.TestReader(r, stateOf(100, 7)))
}

// Ids depend on nothing but what was done before; the newest comes first, the
// newest retain are kept.
func TestSnapshotOrderAndRetention(t *testing.T) {
	dir := t.TempDir()
	s := openSnaps(t, dir, 3)
	for _, i := range []uint64{5, 100, 20} {
		snap(t, s, i, 1)
	}
	snap(t, s, 100, 1) // raft's recovery makes a second one of the same state
	require.Equal(t, []string{"1-100-4", "1-100-2", "1-20-3"}, ids(t, s))
	s = openSnaps(t, dir, 2)
	require.Len(t, ids(t, s), 3)
	snap(t, s, 101, 2)
	require.Equal(t, []string{"2-101-5", "1-100-4"}, ids(t, s))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 2)
	_, err = OpenSnapshots(dir, 0)
	require.Error(t, err)
}

func TestEmptyStateAndCancel(t *testing.T) {
	s := openSnaps(t, t.TempDir(), 1)
	k, err := s.Create(1, 5, 1, someServers, 1, nil)
	require.NoError(t, err)
	require.NoError(t, k.Close())
	_, r, err := s.Open(k.ID())
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Empty(t, b)
	require.NoError(t, r.Close())

	k, err = s.Create(1, 6, 1, someServers, 1, nil)
	require.NoError(t, err)
	require.NoError(t, k.Cancel())
	require.NoError(t, k.Cancel())
	require.Equal(t, []string{"1-5-1"}, ids(t, s))
	files, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.Len(t, files, 1)

	_, err = s.Create(0, 6, 1, someServers, 1, nil)
	require.ErrorContains(t, err, "version 0")
	for _, id := range []string{"", "1-6-2", "../x", "1-05-1", "1-5"} {
		_, _, err = s.Open(id)
		require.Error(t, err, id)
	}
}

// The order that a snapshot's durability rests on.
func TestSnapshotWriteOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "snapshots")
	s := openSnaps(t, dir, 1)
	snap(t, s, 1, 1)
	ops := record(t)
	snap(t, s, 9, 1)
	require.Equal(t, []string{
		"mkdir 1-9-2.tmp", "create state", "write state", "write state", "sync state", "create meta", "write meta", "sync meta", "syncdir 1-9-2.tmp",
		"rename 1-9-2", "syncdir snapshots",
		"rename 1-1-1.tmp", "syncdir snapshots", "remove 1-1-1.tmp",
	}, *ops)
	*ops = nil
	openSnaps(t, dir, 1)
	require.Equal(t, "syncdir snapshots", lastOf(*ops))
}

// Stopped at each step, there is the new snapshot, whole, or none of it, and the
// old one is there until the new one is.
func TestSnapshotStoppedAtEachStep(t *testing.T) {
	for stop := 0; ; stop++ {
		s := openSnaps(t, t.TempDir(), 1)
		snap(t, s, 1, 1)
		left := stop
		setDiskOp(t, func(string, string) error {
			if left--; left < 0 {
				return errIO
			}
			return nil
		})
		k, err := s.Create(1, 9, 1, someServers, 2, nil)
		if err == nil {
			if _, err = k.Write(stateOf(9, 1)); err == nil {
				err = k.Close()
			} else {
				err = errors.Join(err, k.Cancel()) // as raft does
			}
		}
		finished := left >= 0
		left = 1 << 30
		r := openSnaps(t, copyDir(t, s.dir), 1)
		faults, derr := r.Damaged()
		require.NoError(t, derr)
		require.Empty(t, faults)
		have := ids(t, r)
		require.NotEmpty(t, have)
		if err == nil {
			require.Equal(t, "1-9-2", have[0])
		}
		for _, id := range have {
			parsed, _ := parseSnapID(id)
			require.NoError(t, checkSnapshot(r.dir, parsed))
		}
		snap(t, r, 20, 1)
		require.Len(t, ids(t, r), 1)
		files, ferr := os.ReadDir(r.dir)
		require.NoError(t, ferr)
		require.Len(t, files, 1, "nothing is left over")
		if finished {
			require.Equal(t, 13, stop)
			return
		}
	}
}

// Damage is never handed out as a whole state, is reported, and leaves the
// snapshot out where it can be seen without reading the state.
func TestDamagedSnapshots(t *testing.T) {
	for name, c := range map[string]struct {
		plant  func(dir string)
		listed bool
		where  string
		offset int64
	}{
		"flip in the state":          {func(d string) { edit(t, filepath.Join(d, "state"), flip(70000)) }, true, "state", 0},
		"flip in the last byte":      {func(d string) { edit(t, filepath.Join(d, "state"), flip(len(stateOf(9, 1))-1)) }, true, "state", 0},
		"state cut off":              {func(d string) { os.Truncate(filepath.Join(d, "state"), 5000) }, false, "state", 5000},
		"state longer":               {func(d string) { edit(t, filepath.Join(d, "state"), appendTo([]byte{1})) }, false, "state", int64(len(stateOf(9, 1)))},
		"state missing":              {func(d string) { os.Remove(filepath.Join(d, "state")) }, false, "state", 0},
		"flip in the description":    {func(d string) { edit(t, filepath.Join(d, "meta"), flip(40)) }, false, "meta", 0},
		"description empty":          {func(d string) { os.Truncate(filepath.Join(d, "meta"), 0) }, false, "meta", 0},
		"description missing":        {func(d string) { os.Remove(filepath.Join(d, "meta")) }, false, "meta", 0},
		"description too long":       {func(d string) { os.Truncate(filepath.Join(d, "meta"), 2<<20) }, false, "meta", 0},
		"description of another one": {func(d string) { copyFile(t, filepath.Join(filepath.Dir(d), "1-5-1", "meta"), filepath.Join(d, "meta")) }, false, "meta", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSnaps(t, t.TempDir(), 2)
			snap(t, s, 5, 1)
			id := snap(t, s, 9, 1)
			c.plant(filepath.Join(s.dir, id))
			told := 0
			s.LogTo(func(string, ...any) { told++ })
			faults, err := s.Damaged()
			require.NoError(t, err)
			have := append(ids(t, s), ids(t, s)...)
			parsed, _ := parseSnapID(id)
			requireFault(t, checkSnapshot(s.dir, parsed), c.where, c.offset)
			if c.listed {
				require.Equal(t, []string{id, "1-5-1", id, "1-5-1"}, have)
				_, r, err := s.Open(id)
				require.NoError(t, err)
				defer r.Close()
				got, err := io.ReadAll(io.LimitReader(r, int64(len(stateOf(9, 1))))) // one that never asks for the end
				require.ErrorIs(t, err, ErrCorrupt)
				require.Less(t, len(got), len(stateOf(9, 1)))
				return
			}
			require.Equal(t, []string{"1-5-1", "1-5-1"}, have)
			require.Equal(t, 1, told, "told once")
			require.Len(t, faults, 1)
			requireFault(t, faults[0], c.where, c.offset)
			_, _, err = s.Open(id)
			require.ErrorIs(t, err, ErrCorrupt)
			snap(t, s, 20, 1) // damage does not count as a snapshot kept
			require.Equal(t, []string{"1-20-3", "1-5-1"}, ids(t, s))
			require.DirExists(t, filepath.Join(s.dir, id))
			snap(t, s, 21, 1)
			require.NoDirExists(t, filepath.Join(s.dir, id), "two newer intact ones make it superfluous")
		})
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o600))
}

func TestSnapshotMetaLimit(t *testing.T) {
	s := openSnaps(t, t.TempDir(), 1)
	k, err := s.Create(1, 5, 1, raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(strings.Repeat("x", MaxSnapshotMetaBytes))}}}, 1, nil)
	require.NoError(t, err)
	require.ErrorIs(t, k.Close(), ErrTooLarge)
	require.Empty(t, ids(t, s))
}

// Whoever has the list need not ask for it again before Changes says so.
func TestSnapshotsTellOfChanges(t *testing.T) {
	s := openSnaps(t, t.TempDir(), 2)
	before := s.Changes()
	k, err := s.Create(1, 10, 1, someServers, 2, nil)
	require.NoError(t, err)
	require.NoError(t, k.Cancel())
	require.Equal(t, before, s.Changes(), "one that was given up was never in the list")

	id := snap(t, s, 100, 7)
	finished := s.Changes()
	require.NotEqual(t, before, finished)
	parsed, ok := parseSnapID(id)
	require.True(t, ok)
	require.NoError(t, s.quarantine(parsed))
	require.NotEqual(t, finished, s.Changes())
	require.Empty(t, ids(t, s))
}

// A description that was decoded before is not taken for what the disk holds: its file may have changed since. And what one
// caller does with what it was given does not reach the next.
func TestListReadsWhatTheDiskHolds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "snapshots")
	s := openSnaps(t, dir, 2)
	older, newer := snap(t, s, 100, 7), snap(t, s, 200, 7)
	require.Equal(t, []string{newer, older}, ids(t, s))
	metas, err := s.List()
	require.NoError(t, err)
	metas[0].Configuration.Servers[0].ID = "changed"
	metas, err = s.List()
	require.NoError(t, err)
	require.Equal(t, someServers, metas[0].Configuration)

	name := filepath.Join(dir, newer, snapMetaFile)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	text[len(text)-3] ^= 1
	require.NoError(t, os.WriteFile(name, text, 0o600))
	require.Equal(t, []string{older}, ids(t, s))
	text[len(text)-3] ^= 1
	require.NoError(t, os.WriteFile(name, text, 0o600))
	require.Equal(t, []string{newer, older}, ids(t, s))

	third := snap(t, s, 300, 7) // takes the oldest one's place
	require.Equal(t, []string{third, newer}, ids(t, s))
	require.Len(t, s.known.of, 2)
}
