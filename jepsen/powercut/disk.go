//go:build unix

package powercut

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/wal/faults"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// style is what becomes of the bytes of a file that were not synced.
type style string

// The styles. A sector that holds synced bytes keeps them in all of them.
const (
	lost      style = "lost"      // none of them is there
	kept      style = "kept"      // all are
	cut       style = "cut"       // those from a drawn byte on are gone
	zeros     style = "zeros"     // the length is there, their sectors are not
	scattered style = "scattered" // the length is there, and any of their sectors
	garbage   style = "garbage"   // so, with other bytes where sectors are missing
)

var styles = []style{lost, kept, cut, zeros, scattered, garbage}

// remains is what a daemon left, and what of it was durable.
type remains struct {
	root   string
	record *faults.Record
	rng    *rand.Rand
	paths  map[uint64]string // of what is in the directory now
	// done counts by name what was done to files and directory entries.
	done map[string]int
	// style is for all files, or drawn for each if empty; entries likewise is
	// how likely each unsynced change of a directory is lost.
	style   style
	entries float64
}

// newRemains looks at a directory and the record of it.
func newRemains(root, record string, rng *rand.Rand) (*remains, error) {
	r := &remains{root: root, rng: rng, paths: map[uint64]string{}, done: map[string]int{}}
	var err error
	if r.record, err = faults.ReadRecord(record); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			r.paths[faults.Inode(info)] = path
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", root, err)
	}
	// Half of the cuts treat all files alike: what one file proves about another
	// (the hint about the log) is tried that way.
	if rng.IntN(2) == 0 {
		r.style = styles[rng.IntN(len(styles))]
	}
	r.entries = []float64{0, 0.5, 1}[rng.IntN(3)]
	return r, nil
}

// tail is how many bytes of log segments, other than what had been synced of
// each, the power is cut over.
func (r *remains) tail() (bytes int, err error) {
	for inode, path := range r.paths {
		if filepath.Base(filepath.Dir(path)) != "log" || !strings.HasPrefix(filepath.Base(path), "0") {
			continue
		}
		now, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		synced := r.record.Files[inode]
		for i, b := range now {
			if i >= len(synced) && b != 0 || i < len(synced) && b != synced[i] {
				bytes++
			}
		}
	}
	return bytes, nil
}

// build makes at to what the power cut left. The directory itself is there: who
// gave it to the daemon had synced it.
func (r *remains) build(to string) error {
	info, err := os.Stat(r.root)
	if err != nil {
		return err
	}
	return r.make(faults.Inode(info), to)
}

// make makes what a power cut left of an inode.
func (r *remains) make(inode uint64, to string) error {
	path, there := r.paths[inode]
	old, isDir := r.record.Directories[inode]
	if there && !isDir {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		isDir = info.IsDir()
	}
	if !isDir {
		return r.makeFile(inode, to)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	now := map[string]uint64{}
	if there {
		var err error
		if now, err = entriesOf(path); err != nil {
			return err
		}
	}
	left := r.survivors(old, now)
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if err := r.make(left[name], filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

func entriesOf(dir string) (map[string]uint64, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	entries := map[string]uint64{}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		entries[e.Name()] = faults.Inode(info)
	}
	return entries, nil
}

// survivors draws the entries of a directory: each that was not synced may be as
// it was or as it is.
func (r *remains) survivors(old, now map[string]uint64) map[string]uint64 {
	all := maps.Clone(now)
	maps.Copy(all, old)
	left := map[string]uint64{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before, child := old[name], now[name]
		if before != child {
			what := "entry kept"
			if r.rng.Float64() < r.entries {
				what = lossOf(before, child)
				child = before
			}
			r.done[what]++
		}
		if child != 0 {
			left[name] = child
		}
	}
	return left
}

// lossOf names the loss of a change of a directory entry from before to now.
func lossOf(before, now uint64) string {
	switch {
	case before == 0:
		return "entry lost"
	case now == 0:
		return "removed entry back"
	}
	return "replaced entry back"
}

// makeFile makes what is left of a file, whatever its name is.
func (r *remains) makeFile(inode uint64, to string) error {
	old := r.record.Files[inode]
	now := old
	if path, there := r.paths[inode]; there {
		var err error
		if now, err = os.ReadFile(path); err != nil {
			return err
		}
	}
	return os.WriteFile(to, r.mix(old, now), 0o600)
}

// mix draws the content of a file that held old when it was last synced, and
// holds now.
func (r *remains) mix(old, now []byte) []byte {
	if string(old) == string(now) {
		return old
	}
	s := r.style
	if s == "" {
		s = styles[r.rng.IntN(len(styles))]
	}
	r.done[string(s)]++
	length := len(now)
	switch {
	case s == lost:
		return old
	case s == kept:
		return now
	case s == cut:
		low := min(len(old), len(now))
		length = low + r.rng.IntN(max(len(old), len(now))-low+1)
	}
	b := make([]byte, length)
	if s == garbage {
		for i := range b {
			b[i] = byte(r.rng.Uint32())
		}
	}
	copy(b, old)
	for at := 0; at < min(length, len(now)); at += sector {
		end := min(at+sector, length, len(now))
		overwritten := at < len(old) && string(b[at:min(end, len(old))]) != string(now[at:min(end, len(old))])
		persisted := s == cut && !overwritten || s != zeros && r.rng.IntN(2) == 0
		if persisted {
			copy(b[at:end], now[at:end])
		}
	}
	return b
}
