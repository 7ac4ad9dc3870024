package wal

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// dataDir is a data directory with a log and snapshots in it.
type dataDir struct {
	root string
	l    *Log
	s    *Snapshots
}

func newDataDir(t testing.TB) *dataDir {
	root := t.TempDir()
	d := &dataDir{root: root}
	d.l = open(t, filepath.Join(root, "raft", "log"))
	d.s = openSnaps(t, filepath.Join(root, "raft", "snapshots"), 3)
	s := openStable(t, filepath.Join(root, "raft", "stable"))
	require.NoError(t, s.SetUint64(curTerm, 7))
	vote(t, s, 7, "me")
	return d
}

// damage flips a bit in a snapshot's state, where List does not see it.
func (d *dataDir) damage(t testing.TB, id string) {
	edit(t, filepath.Join(d.s.dir, id, snapStateFile), flip(1000))
}

// Each way in which log and snapshots can differ is put right or refused.
func TestReconcile(t *testing.T) {
	whole := func(from, to uint64) func(*testing.T, *dataDir) {
		return func(t *testing.T, d *dataDir) { requireHolds(t, d.l, from, to, 1) }
	}
	startsAt := func(next uint64) func(*testing.T, *dataDir) {
		return func(t *testing.T, d *dataDir) {
			requireHolds(t, d.l, 1, 0, 1)
			require.ErrorIs(t, d.l.StoreLogs(entries(next-1, next-1, 2)), ErrGap)
			store(t, d.l, entries(next, next, 2)...)
			requireHolds(t, d.l, next, next, 2)
		}
	}
	refused := func(*testing.T, *dataDir) { panic("not reached") }
	// compacted makes the log begin later than 1.
	for name, c := range map[string]struct {
		plant func(*testing.T, *dataDir)
		err   error
		then  func(*testing.T, *dataDir)
	}{
		"nothing at all": {func(*testing.T, *dataDir) {}, nil, whole(1, 0)},
		"a log alone":    {func(t *testing.T, d *dataDir) { store(t, d.l, entries(1, 50, 1)...) }, nil, whole(1, 50)},
		"a snapshot within the log": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 50, 1)...)
			snap(t, d.s, 30, 1)
		}, nil, whole(1, 50)},
		"a snapshot at the log's end": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 50, 1)...)
			snap(t, d.s, 50, 1)
		}, nil, whole(1, 50)},
		"a snapshot just before the log": {func(t *testing.T, d *dataDir) {
			require.NoError(t, d.l.Reset(31))
			store(t, d.l, entries(31, 50, 1)...)
			snap(t, d.s, 30, 1)
		}, nil, whole(31, 50)},
		"a snapshot and an empty log after it": {func(t *testing.T, d *dataDir) {
			require.NoError(t, d.l.Reset(31))
			snap(t, d.s, 30, 1)
		}, nil, startsAt(31)},
		"a snapshot and a new log": {func(t *testing.T, d *dataDir) { snap(t, d.s, 30, 1) }, nil, startsAt(31)},
		"a snapshot beyond the log": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 50, 1)...)
			snap(t, d.s, 150, 2)
		}, nil, startsAt(151)},
		"a snapshot one beyond the log": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 50, 1)...)
			snap(t, d.s, 51, 1)
		}, nil, startsAt(52)},
		"stale entries after a snapshot": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 200, 1)...)
			snap(t, d.s, 150, 2)
		}, nil, startsAt(151)},
		"a log emptied after an install": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 200, 1)...)
			snap(t, d.s, 150, 2)
			require.NoError(t, d.l.DeleteRange(1, 200))
		}, nil, startsAt(151)},
		"a log that begins after the snapshot": {func(t *testing.T, d *dataDir) {
			require.NoError(t, d.l.Reset(32))
			store(t, d.l, entries(32, 50, 1)...)
			snap(t, d.s, 30, 1)
		}, ErrNotWhole, refused},
		"a log that begins late and no snapshot": {func(t *testing.T, d *dataDir) {
			require.NoError(t, d.l.Reset(2))
			store(t, d.l, entries(2, 50, 1)...)
		}, ErrNotWhole, refused},
		"an empty log that begins late and no snapshot": {func(t *testing.T, d *dataDir) {
			require.NoError(t, d.l.Reset(31))
		}, ErrNotWhole, refused},
		"the only snapshot damaged, the log whole": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 50, 1)...)
			d.damage(t, snap(t, d.s, 30, 1))
		}, nil, func(t *testing.T, d *dataDir) {
			whole(1, 50)(t, d)
			require.Empty(t, ids(t, d.s), "set aside")
			require.DirExists(t, filepath.Join(d.s.dir, "1-30-1"+damagedSuffix))
			require.Equal(t, "1-40-2", snap(t, openSnaps(t, d.s.dir, 1), 40, 1), "its number is not used again")
		}},
		"the only snapshot damaged, the log compacted": {func(t *testing.T, d *dataDir) {
			require.NoError(t, d.l.Reset(31))
			store(t, d.l, entries(31, 50, 1)...)
			d.damage(t, snap(t, d.s, 30, 1))
		}, ErrNotWhole, refused},
		"the newest damaged, the log holds it": {func(t *testing.T, d *dataDir) {
			require.NoError(t, d.l.Reset(21))
			store(t, d.l, entries(21, 50, 1)...)
			snap(t, d.s, 20, 1)
			d.damage(t, snap(t, d.s, 40, 1))
		}, nil, func(t *testing.T, d *dataDir) {
			whole(21, 50)(t, d)
			require.Equal(t, []string{"1-20-1"}, ids(t, d.s))
		}},
		"the newest damaged, the log begins after it": {func(t *testing.T, d *dataDir) {
			require.NoError(t, d.l.Reset(41))
			store(t, d.l, entries(41, 50, 1)...)
			snap(t, d.s, 20, 1)
			d.damage(t, snap(t, d.s, 40, 1))
		}, ErrNotWhole, refused},
		"the newest damaged and beyond the log": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 50, 1)...)
			snap(t, d.s, 40, 1)
			d.damage(t, snap(t, d.s, 60, 1))
		}, ErrNotWhole, refused},
		"the newest damaged, the log has another term there": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 50, 1)...)
			snap(t, d.s, 20, 1)
			d.damage(t, snap(t, d.s, 40, 2))
		}, ErrNotWhole, refused},
		"the newest without a description": {func(t *testing.T, d *dataDir) {
			store(t, d.l, entries(1, 50, 1)...)
			os.Remove(filepath.Join(d.s.dir, snap(t, d.s, 60, 1), snapMetaFile))
		}, ErrNotWhole, refused},
		"an older one damaged": {func(t *testing.T, d *dataDir) {
			require.NoError(t, d.l.Reset(41))
			store(t, d.l, entries(41, 50, 1)...)
			d.damage(t, snap(t, d.s, 20, 1))
			snap(t, d.s, 40, 1)
		}, nil, whole(41, 50)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDataDir(t)
			c.plant(t, d)
			before := append(listOf(t, d.l.dir), listOf(t, d.s.dir)...)
			_, verr := Verify(d.root)
			err := Reconcile(d.l, d.s)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				require.ErrorContains(t, err, "this member must not start")
				require.ErrorIs(t, verr, c.err)
				require.Equal(t, before, append(listOf(t, d.l.dir), listOf(t, d.s.dir)...), "a refusal changes nothing")
				return
			}
			require.NoError(t, err)
			require.NoError(t, Reconcile(d.l, d.s), "again")
			c.then(t, d)
		})
	}
}

func listOf(t testing.TB, dir string) (names []string) {
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// raft itself runs on the three stores, restarts on them, compacts its log, and
// starts from a snapshot beyond the log after Reconcile.
func TestRaftRunsOnIt(t *testing.T) {
	root := fastDir(t)
	fsm := &raft.MockFSM{}
	run := func(work func(*raft.Raft)) {
		l, err := Open(filepath.Join(root, "log"), Options{SegmentBytes: 4000})
		require.NoError(t, err)
		st, err := OpenStable(filepath.Join(root, "stable"))
		require.NoError(t, err)
		sn, err := OpenSnapshots(filepath.Join(root, "snapshots"), 2)
		require.NoError(t, err)
		require.NoError(t, Reconcile(l, sn))
		conf := raft.DefaultConfig()
		conf.LocalID, conf.LogLevel, conf.TrailingLogs = "1", "ERROR", 10
		conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
		addr, tr := raft.NewInmemTransport("1")
		has, err := raft.HasExistingState(l, st, sn)
		require.NoError(t, err)
		if !has {
			require.NoError(t, raft.BootstrapCluster(conf, l, st, sn, tr, raft.Configuration{Servers: []raft.Server{{ID: "1", Address: addr}}}))
		}
		r, err := raft.NewRaft(conf, fsm, l, st, sn, tr)
		require.NoError(t, err)
		<-r.LeaderCh()
		work(r)
		require.NoError(t, r.Shutdown().Error())
		require.NoError(t, l.Close())
	}
	apply := func(r *raft.Raft) {
		for range 50 {
			require.NoError(t, r.Apply(make([]byte, 100), 0).Error())
		}
	}
	run(func(r *raft.Raft) {
		apply(r)
		require.NoError(t, r.Snapshot().Error())
		apply(r)
	})
	var last uint64
	run(func(r *raft.Raft) {
		apply(r)
		require.Len(t, fsm.Logs(), 150)
		require.NoError(t, r.Snapshot().Error())
		last = r.LastIndex()
	})
	require.NoError(t, os.RemoveAll(filepath.Join(root, "log")))
	run(func(r *raft.Raft) {
		apply(r)
		require.Equal(t, last+51, r.LastIndex(), "50 entries and the new leader's")
		require.Len(t, fsm.Logs(), 200)
	})
}
