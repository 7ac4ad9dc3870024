//go:build unix

package wal

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	tidwal "github.com/tidwall/wal"
	"pgregory.net/rapid"
)

var errPowerCut = errors.New("power cut")

// powerDisk watches a directory tree and knows what of it would survive a power
// cut: the content that each file had when it was last synced, the entries that
// each directory had. crash builds a tree that a power cut could leave: of all
// that was not synced, any part may have become durable: entries of a directory
// one by one, a file's new length or not, its new sectors one by one.
type powerDisk struct {
	root     string
	left     int // operations until the power is cut
	off      bool
	files    map[uint64]*os.File // every file and directory ever seen, held so that its number is not given away again
	contents map[uint64][]byte   // as synced
	dirs     map[uint64]map[string]uint64
}

const sector = 512

func newPowerDisk(t testing.TB, root string, ops int) *powerDisk {
	d := &powerDisk{root: root, left: ops, files: map[uint64]*os.File{}, contents: map[uint64][]byte{}, dirs: map[uint64]map[string]uint64{}}
	d.look(root)
	for ino, f := range d.files { // all that is there at the start is durable
		if fi, _ := f.Stat(); fi.IsDir() {
			d.dirs[ino] = d.names(f.Name())
		} else {
			d.contents[ino] = content(f)
		}
	}
	return d
}

func (d *powerDisk) close() {
	for _, f := range d.files {
		f.Close()
	}
}

// look takes note of new files, and returns the number of the one at path.
func (d *powerDisk) look(path string) uint64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	fi, err := f.Stat()
	if err != nil {
		panic(err)
	}
	ino := fi.Sys().(*syscall.Stat_t).Ino
	if d.files[ino] == nil {
		d.files[ino] = f
	} else {
		f.Close()
	}
	if fi.IsDir() {
		for name := range d.names(path) {
			d.look(filepath.Join(path, name))
		}
	}
	return ino
}

func (d *powerDisk) names(dir string) map[string]uint64 {
	files, err := os.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	names := map[string]uint64{}
	for _, f := range files {
		fi, err := f.Info()
		if err != nil {
			panic(err)
		}
		names[f.Name()] = fi.Sys().(*syscall.Stat_t).Ino
	}
	return names
}

func content(f *os.File) []byte {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	if err != nil {
		panic(err)
	}
	return b
}

// op is the diskOp hook.
func (d *powerDisk) op(op, path string) error {
	d.look(d.root)
	if d.left--; d.left < 0 {
		d.off = true
	}
	if d.off {
		return fmt.Errorf("%s %s: %w", op, filepath.Base(path), errPowerCut)
	}
	switch op {
	case "sync":
		d.synced(path)
	case "syncdir":
		d.dirs[d.look(path)] = d.names(path)
	}
	return nil
}

func (d *powerDisk) synced(path string) {
	ino := d.look(path)
	d.contents[ino] = content(d.files[ino])
}

// crash builds a tree that a power cut now could leave, and returns its root.
func (d *powerDisk) crash(t *rapid.T, to string) {
	d.look(d.root)
	d.build(t, d.look(d.root), d.root, to)
}

func (d *powerDisk) build(t *rapid.T, ino uint64, path, to string) {
	if fi, _ := d.files[ino].Stat(); !fi.IsDir() {
		require.NoError(t, os.WriteFile(to, d.mixed(t, ino), 0o600))
		return
	}
	require.NoError(t, os.MkdirAll(to, 0o700))
	old, now := d.dirs[ino], map[string]uint64{}
	if path != "" {
		now = d.names(path)
	}
	all := maps.Clone(now)
	maps.Copy(all, old)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		child, sub := now[name], filepath.Join(path, name)
		if old[name] != child && rapid.Bool().Draw(t, "old entry "+name) {
			child, sub = old[name], ""
		}
		if child != 0 {
			d.build(t, child, sub, filepath.Join(to, name))
		}
	}
}

// mixed is a file of which any part of what was not synced is durable.
func (d *powerDisk) mixed(t *rapid.T, ino uint64) []byte {
	old, now := d.contents[ino], content(d.files[ino])
	n := rapid.SampledFrom([]int{len(old), len(now), (len(old) + len(now)) / 2}).Draw(t, "length")
	b := make([]byte, n)
	copy(b, old)
	for at := 0; at < min(n, len(now)); at += sector {
		end := min(at+sector, n, len(now))
		if string(b[at:end]) != string(now[at:end]) && rapid.Bool().Draw(t, "sector") {
			copy(b[at:end], now[at:end])
		}
	}
	return b
}

// powerAppender reports what tidwall/wal does to the disk.
type powerAppender struct {
	appender
	dir string
	d   *powerDisk
}

func (a *powerAppender) newest() string {
	firsts, err := listSegments(a.dir)
	if err != nil || len(firsts) == 0 {
		return ""
	}
	return segmentPath(a.dir, lastOf(firsts))
}

func (a *powerAppender) WriteBatch(b *tidwal.Batch) error {
	old := a.newest()
	if err := diskOp("append", old, func() error { return a.appender.WriteBatch(b) }); err != nil {
		return err
	}
	if a.newest() != old { // the library synced the full segment before it made the next
		a.d.synced(old)
	}
	return nil
}

func usePowerDisk(t testing.TB) *(*powerDisk) {
	var d *powerDisk
	setDiskOp(t, func(op, path string) error { return d.op(op, path) })
	old := openAppender
	openAppender = func(dir string, o *tidwal.Options) (appender, error) {
		a, err := old(dir, o)
		return &powerAppender{appender: a, dir: dir, d: d}, err
	}
	t.Cleanup(func() { openAppender = old })
	return &d
}

// outcome says what the log may hold after an operation was interrupted.
type outcome func(first, next uint64) bool

// The log survives power cuts at any step of anything, also during the start
// after the one before: it opens, holds every entry acknowledged, and nothing
// that was never stored.
func TestPowerCuts(t *testing.T) {
	disk := usePowerDisk(t)
	base := fastDir(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		m := &crashModel{t: rt, first: 1, next: 1}
		root := filepath.Join(base, fmt.Sprint(runs), "0")
		require.NoError(rt, os.MkdirAll(root, 0o700))
		for round := range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			d := newPowerDisk(t, root, rapid.IntRange(0, 60).Draw(rt, "ops until the cut"))
			*disk = d
			m.run(filepath.Join(root, "log"))
			root = filepath.Join(base, fmt.Sprint(runs), fmt.Sprint(round+1))
			d.crash(rt, root)
			d.close()
		}
		*disk = newPowerDisk(t, root, 1<<30)
		m.open(filepath.Join(root, "log"))
		require.NoError(rt, m.l.Close())
		(*disk).close()
		os.RemoveAll(filepath.Join(base, fmt.Sprint(runs)))
	})
}

// crashModel knows what must and may be in the log.
type crashModel struct {
	t           *rapid.T
	l           *Log
	first, next uint64            // bounds acknowledged
	terms       map[uint64]uint64 // term of each entry ever stored last at an index
	alt         map[uint64]uint64 // terms of the entries being stored
	inflight    outcome           // nil if nothing is being done
}

// run opens the log and works on it until the power is cut or it has enough.
func (m *crashModel) run(dir string) {
	if m.terms == nil {
		m.terms = map[uint64]uint64{}
	}
	if !m.open(dir) {
		return
	}
	defer m.l.Close()
	for range rapid.IntRange(0, 8).Draw(m.t, "operations") {
		if !m.operate() {
			return
		}
	}
	m.inflight = nil
}

// open opens what a power cut left and checks it.
func (m *crashModel) open(dir string) bool {
	l, err := Open(dir, Options{SegmentBytes: rapid.SampledFrom([]int{1, 300, 1000, 4000}).Draw(m.t, "segment")})
	if errors.Is(err, errPowerCut) {
		return false
	}
	require.NoError(m.t, err)
	m.l = l
	first, next := l.bounds()
	ok := first == m.first && next == m.next || m.inflight != nil && m.inflight(first, next)
	require.True(m.t, ok, "log holds [%d, %d), acknowledged are [%d, %d)", first, next, m.first, m.next)
	for i := first; i < next; i++ {
		var e raft.Log
		require.NoError(m.t, l.GetLog(i, &e))
		if alt, ok := m.alt[i]; ok && i >= m.next && m.inflight != nil {
			m.terms[i] = alt
		}
		require.Equal(m.t, normal(entries(i, i, m.terms[i])[0]), e)
	}
	m.first, m.next, m.inflight, m.alt = first, next, nil, nil
	return true
}

// operate does one thing to the log and reports whether it was completed.
func (m *crashModel) operate() bool {
	l, first, next := m.l, m.first, m.next
	switch what := rapid.IntRange(0, 9).Draw(m.t, "what"); {
	case what <= 5:
		from := next
		if first == next {
			from += rapid.SampledFrom([]uint64{0, 0, 1, 40}).Draw(m.t, "jump")
		}
		to := from + rapid.Uint64Range(0, 12).Draw(m.t, "n")
		term := rapid.Uint64Range(1, 5).Draw(m.t, "term")
		m.alt = map[uint64]uint64{}
		for i := from; i <= to; i++ {
			m.alt[i] = term
		}
		m.inflight = func(f, n uint64) bool {
			return f == first && n >= next && n <= to+1 && (from == next || n == next) || f == from && n >= from && n <= to+1
		}
		if !m.done(l.StoreLogs(entries(from, to, term))) {
			return false
		}
		if from != next {
			m.first = from
		}
		m.next = to + 1
		for i := from; i <= to; i++ {
			m.terms[i] = term
		}
	case what == 6 && first < next: // newest entries
		lo := rapid.Uint64Range(first, next-1).Draw(m.t, "lo")
		m.inflight = func(f, n uint64) bool { return f == first && n >= lo && n <= next }
		if !m.done(l.DeleteRange(lo, next-1)) {
			return false
		}
		m.next = lo
	case what <= 8 && first < next: // oldest entries
		hi := rapid.Uint64Range(first, next-1).Draw(m.t, "hi")
		m.inflight = func(f, n uint64) bool {
			return f >= first && f <= hi+1 && n == next || hi == next-1 && f == first && n <= next
		}
		if !m.done(l.DeleteRange(first, hi)) {
			return false
		}
		// What is kept of a prefix in memory is kept on disk too, and more only
		// if its removal was not durable, which it is.
		m.first, m.next = l.bounds()
	case what == 9:
		to := rapid.Uint64Range(1, 100).Draw(m.t, "to")
		m.inflight = func(f, n uint64) bool { return f == to && n == to }
		if !m.done(l.Reset(to)) {
			return false
		}
		m.first, m.next = to, to
	}
	m.inflight = nil
	return true
}

func (m *crashModel) done(err error) bool {
	if err != nil {
		require.ErrorIs(m.t, err, errPowerCut)
	}
	return err == nil
}
