package wal

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc64"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
)

var _ raft.SnapshotSink = (*sink)(nil)

// Create begins a snapshot. It exists once the sink's Close has returned nil,
// and not at all after Cancel or a crash. trans is not used: it served an older
// form of the configuration.
func (s *Snapshots) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if version != raft.SnapshotVersionMax {
		return nil, fmt.Errorf("create snapshot: version %d: only version %d is written", version, raft.SnapshotVersionMax)
	}
	s.mu.Lock()
	s.counter++
	id := snapID{term: term, index: index, counter: s.counter}
	s.mu.Unlock()
	k := &sink{store: s, tmp: filepath.Join(s.dir, id.String()+tmpSuffix), meta: snapMeta{SnapshotMeta: raft.SnapshotMeta{
		Version:            version,
		ID:                 id.String(),
		Index:              index,
		Term:               term,
		Configuration:      configuration.Clone(),
		ConfigurationIndex: configurationIndex,
	}}}
	if err := mkdir(k.tmp); err != nil {
		return nil, fmt.Errorf("create snapshot: %w", err)
	}
	f, err := create(filepath.Join(k.tmp, snapStateFile), os.O_EXCL)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create snapshot: %w", err), removeAll(k.tmp))
	}
	k.f, k.w = f, bufio.NewWriterSize(announced{f}, 128<<10)
	return k, nil
}

// sink writes one snapshot. It belongs to one goroutine.
type sink struct {
	store *Snapshots
	tmp   string // directory until Close
	meta  snapMeta
	f     *os.File
	w     *bufio.Writer
	done  bool
}

// ID returns the snapshot's id: term-index-counter.
func (k *sink) ID() string { return k.meta.ID }

// Write appends to the state.
func (k *sink) Write(p []byte) (int, error) {
	n, err := k.w.Write(p)
	k.meta.StateCRC64 = crc64.Update(k.meta.StateCRC64, crc64Table, p[:n])
	k.meta.Size += int64(n)
	return n, err
}

// Cancel gives the snapshot up.
func (k *sink) Cancel() error {
	if k.done {
		return nil
	}
	k.done = true
	if err := errors.Join(k.f.Close(), removeAll(k.tmp)); err != nil {
		return fmt.Errorf("cancel snapshot: %w", err)
	}
	return nil
}

// Close makes the snapshot durable and gives it its name, in this order: sync
// the state; write and sync the description; sync the directory of the two;
// rename it; sync the directory it is in. Then superfluous ones go.
func (k *sink) Close() error {
	if k.done {
		return nil
	}
	k.done = true
	if err := k.finish(); err != nil {
		return errors.Join(fmt.Errorf("finish snapshot %s: %w", k.meta.ID, err), removeAll(k.tmp))
	}
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	defer k.store.changes.Add(1) // whatever becomes of it, look again
	if err := rename(k.tmp, filepath.Join(k.store.dir, k.meta.ID)); err != nil {
		return errors.Join(fmt.Errorf("finish snapshot %s: %w", k.meta.ID, err), removeAll(k.tmp))
	}
	if err := syncDir(k.store.dir); err != nil {
		return fmt.Errorf("finish snapshot %s: %w", k.meta.ID, err)
	}
	// The snapshot exists; that an old one could not be removed does not
	// change that, and the next reap tries again.
	if err := k.store.reap(); err != nil {
		k.store.logf("wal: %v", err)
	}
	return nil
}

func (k *sink) finish() error {
	err := k.w.Flush()
	if err == nil {
		err = syncFile(k.f)
	}
	if cerr := k.f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	b, err := k.meta.encode()
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(k.tmp, snapMetaFile), b); err != nil {
		return err
	}
	return syncDir(k.tmp)
}
