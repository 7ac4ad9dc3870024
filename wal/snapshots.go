package wal

import (
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

var _ raft.SnapshotStore = (*Snapshots)(nil)

// Snapshots keeps raft's snapshots: a raft.SnapshotStore. A snapshot appears
// under its name only when all of it is durable.
type Snapshots struct {
	dir     string
	retain  int
	changes atomic.Uint64

	mu       sync.Mutex
	counter  uint64 // of the newest snapshot ever begun
	logf     func(format string, args ...any)
	reported map[string]bool // damaged ones that logf was told of
	known    knownMetas
}

// OpenSnapshots opens the snapshots in dir, making it if there is none, and
// removes what interrupted snapshots left. The newest retain (1 or more) intact
// ones are kept.
func OpenSnapshots(dir string, retain int) (*Snapshots, error) {
	if retain < 1 {
		return nil, fmt.Errorf("open snapshots: retain %d: at least one must be kept", retain)
	}
	if err := mkdirDurable(dir); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	s := &Snapshots{dir: dir, retain: retain, logf: func(string, ...any) {}, reported: map[string]bool{}, known: knownMetas{of: map[snapID]knownMeta{}}}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	for _, f := range files {
		if name, isTmp := strings.CutSuffix(f.Name(), tmpSuffix); isTmp {
			if _, ours := parseSnapID(name); !ours {
				continue
			}
			if err := removeAll(filepath.Join(dir, f.Name())); err != nil {
				return nil, fmt.Errorf("open snapshots: remove leftover: %w", err)
			}
		}
		if id, ours := parseSnapID(strings.TrimSuffix(f.Name(), damagedSuffix)); ours {
			s.counter = max(s.counter, id.counter)
		}
	}
	// A snapshot may have been renamed by a process killed before its last
	// sync; raft is about to count on what List shows.
	if err := syncDir(dir); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	return s, nil
}

// LogTo sets a function that is told of damaged snapshots, each once, and of
// what Reconcile does with them. To be set before use.
func (s *Snapshots) LogTo(logf func(format string, args ...any)) { s.logf = logf }

// stored is a snapshot found in the directory.
type stored struct {
	id    snapID
	meta  snapMeta
	fault error // damage, a *Fault
}

// scanSnapshots returns all snapshots, newest first, looking only at what is
// quick to look at. A directory that is not there holds none.
func scanSnapshots(dir string) ([]stored, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return (*knownMetas)(nil).among(dir, files)
}

// scan is scanSnapshots, and gives the names of all that is in the directory,
// too. s.mu must be held.
func (s *Snapshots) scan() ([]stored, []os.DirEntry, error) {
	files, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("list snapshots: %w", err)
	}
	found, err := s.known.among(s.dir, files)
	if err == nil {
		s.known.forget(found)
	}
	return found, files, err
}

// among finds the snapshots among the files of a directory, newest first.
func (k *knownMetas) among(dir string, files []os.DirEntry) ([]stored, error) {
	var found []stored
	for _, f := range files {
		id, ours := parseSnapID(f.Name())
		if !ours {
			continue
		}
		meta, err := k.read(filepath.Join(dir, f.Name()), id)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return nil, fmt.Errorf("list snapshots: %w", err)
		}
		found = append(found, stored{id: id, meta: meta, fault: err})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].id.newer(found[j].id) })
	return found, nil
}

// List returns the snapshots that look intact, newest first. Others are told to
// LogTo's function, and returned by Damaged.
func (s *Snapshots) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, _, err := s.scan()
	if err != nil {
		return nil, err
	}
	metas := []*raft.SnapshotMeta{}
	for i := range found {
		if found[i].fault == nil {
			metas = append(metas, &found[i].meta.SnapshotMeta)
		} else if id := found[i].id.String(); !s.reported[id] {
			s.reported[id] = true
			s.logf("wal: snapshot %s is left out: %v", id, found[i].fault)
		}
	}
	return metas, nil
}

// Changes counts the snapshots that were finished or set aside since the store
// was opened. While it stays the same, List has nothing new to say: whoever asks
// often need not read the disk each time.
func (s *Snapshots) Changes() uint64 { return s.changes.Load() }

// Damaged returns the damage of each snapshot that List leaves out, newest first.
func (s *Snapshots) Damaged() ([]error, error) {
	found, err := scanSnapshots(s.dir)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, f := range found {
		if f.fault != nil {
			faults = append(faults, f.fault)
		}
	}
	return faults, nil
}

// Open returns a snapshot's description and state. The state is verified as it
// is read: its last bytes are handed out only if all of it was right, otherwise
// Read fails with a *Fault (ErrCorrupt).
func (s *Snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	return openSnapshot(s.dir, id)
}

func openSnapshot(dir, name string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	id, ok := parseSnapID(name)
	if !ok {
		return nil, nil, fmt.Errorf("open snapshot %.64q: no such id; List has them", name)
	}
	meta, err := readSnapMeta(filepath.Join(dir, name), id)
	if err != nil {
		return nil, nil, fmt.Errorf("open snapshot: %w", err)
	}
	f, err := os.Open(filepath.Join(dir, name, snapStateFile))
	if err != nil {
		return nil, nil, fmt.Errorf("open snapshot: %w", err)
	}
	return &meta.SnapshotMeta, &stateReader{f: f, left: meta.Size, want: meta.StateCRC64}, nil
}

// checkSnapshot reads a whole snapshot and returns its damage.
func checkSnapshot(dir string, id snapID) error {
	_, r, err := openSnapshot(dir, id.String())
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// stateReader verifies a state's checksum.
type stateReader struct {
	f    *os.File
	left int64
	sum  uint64
	want uint64
}

func (r *stateReader) Read(p []byte) (int, error) {
	if r.left == 0 && r.sum == r.want {
		return 0, io.EOF
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.f.Read(p)
	r.sum = crc64.Update(r.sum, crc64Table, p[:n])
	r.left -= int64(n)
	switch {
	case r.left == 0 && r.sum != r.want:
		return 0, &Fault{File: r.f.Name(), Cause: "checksum of the state does not match"}
	case err == io.EOF && r.left > 0:
		return n, &Fault{File: r.f.Name(), Cause: fmt.Sprintf("the state ends %d bytes early", r.left)}
	case err == io.EOF:
		err = nil // told by the next call
	}
	return n, err
}

func (r *stateReader) Close() error { return r.f.Close() }

// quarantine takes a damaged snapshot out of List for good, keeping its files.
func (s *Snapshots) quarantine(id snapID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changes.Add(1)
	path := filepath.Join(s.dir, id.String())
	if err := rename(path, path+damagedSuffix); err != nil {
		return fmt.Errorf("set damaged snapshot aside: %w", err)
	}
	return syncDir(s.dir)
}

// reap removes the snapshots that the newest retain intact ones make
// superfluous, damaged ones included. s.mu must be held.
func (s *Snapshots) reap() error {
	found, files, err := s.scan()
	if err != nil {
		return fmt.Errorf("remove old snapshots: %w", err)
	}
	intact := 0
	var oldest snapID // of those kept
	for _, f := range found {
		if f.fault == nil && intact < s.retain {
			intact++
			oldest = f.id
		}
	}
	if intact < s.retain {
		return nil
	}
	for _, f := range files {
		id, ours := parseSnapID(strings.TrimSuffix(f.Name(), damagedSuffix))
		if !ours || !oldest.newer(id) {
			continue
		}
		if err := s.remove(f.Name(), id); err != nil {
			return err
		}
	}
	return nil
}

// remove takes a snapshot's name away before its files, so that an interrupted
// removal does not look like a damaged snapshot.
func (s *Snapshots) remove(name string, id snapID) error {
	tmp := filepath.Join(s.dir, id.String()+tmpSuffix)
	if err := rename(filepath.Join(s.dir, name), tmp); err != nil {
		return fmt.Errorf("remove old snapshot: %w", err)
	}
	if err := syncDir(s.dir); err != nil {
		return err
	}
	if err := removeAll(tmp); err != nil {
		return fmt.Errorf("remove old snapshot: %w", err)
	}
	return nil
}
