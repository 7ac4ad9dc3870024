package wal

import (
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/hashicorp/raft"
)

// empty reports whether there are no entries; l.mu must be held.
func (l *Log) empty() bool { return len(l.segs) == 1 && len(l.segs[0].offs) == 0 }

// bounds returns the first index of the storage and the index that comes next;
// they are equal if the log is empty.
func (l *Log) bounds() (first, next uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.segs[0].first, l.segs[len(l.segs)-1].next()
}

// FirstIndex returns the index of the oldest entry, 0 if there is none. After
// DeleteRange of a prefix it may be lower than asked for: see there.
func (l *Log) FirstIndex() (uint64, error) {
	if err := l.check(); err != nil {
		return 0, err
	}
	first, next := l.bounds()
	if first == next {
		return 0, nil
	}
	return first, nil
}

// LastIndex returns the index of the newest durable entry, 0 if there is none.
func (l *Log) LastIndex() (uint64, error) {
	if err := l.check(); err != nil {
		return 0, err
	}
	first, next := l.bounds()
	if first == next {
		return 0, nil
	}
	return next - 1, nil
}

// place is where an entry is, as of truncation count gen.
type place struct {
	gen     uint64
	segment uint64
	off     int64 // of the record
	end     int64 // of the record
	size    int64 // end of the segment's published records
}

// locate finds an entry in memory or its place on disk. Entries not yet durable
// are not found.
func (l *Log) locate(index uint64) (e raft.Log, cached bool, p place, found bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s, i := find(l.segs, index)
	if s == nil {
		return e, false, p, false
	}
	// Asked under l.mu, so that a truncation cannot come between.
	if e, cached = l.cache.get(index); cached {
		return e, true, p, true
	}
	return e, false, s.place(i, l.gen), true
}

// find returns the segment that holds an entry and its position there.
func find(segs []*segment, index uint64) (*segment, int) {
	n := sort.Search(len(segs), func(i int) bool { return segs[i].first > index }) - 1
	if n < 0 || index >= segs[n].next() {
		return nil, 0
	}
	return segs[n], int(index - segs[n].first)
}

func (s *segment) place(i int, gen uint64) place {
	return place{gen: gen, segment: s.first, off: int64(s.offs[i]), end: s.end(i), size: s.size}
}

// GetLog reads an entry into out; raft.ErrLogNotFound if there is none. It may
// run beside writes and truncations. The entry's slices are shared with other
// readers and must not be changed.
func (l *Log) GetLog(index uint64, out *raft.Log) error {
	for {
		if err := l.check(); err != nil {
			return err
		}
		e, cached, p, found := l.locate(index)
		if !found {
			return raft.ErrLogNotFound
		}
		if cached {
			*out = e
			return nil
		}
		run, err := readRun(l.dir, l.key, index, p)
		// A truncation meanwhile explains any failure, and makes what was read
		// unfit for the cache. Each turn of this loop takes another one.
		same := l.keep(run, p.gen)
		if err == nil {
			*out = run[0]
			return nil
		}
		if same {
			return fmt.Errorf("read entry %d: %w", index, err)
		}
	}
}

// keep puts what was read into the cache unless a truncation came between, and
// reports whether none did.
func (l *Log) keep(run []raft.Log, gen uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.gen != gen {
		return false
	}
	for _, e := range run {
		l.cache.add(e)
	}
	return true
}

// readRun reads an entry and those after it that the same read brings along. No
// lock is held and no file stays open: the cost is shared by the whole run.
func readRun(dir string, k frameKey, index uint64, p place) ([]raft.Log, error) {
	f, err := os.Open(segmentPath(dir, p.segment))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, min(max(p.end-p.off, readAheadBytes), p.size-p.off))
	if _, err := f.ReadAt(buf, p.off); err != nil {
		if err == io.EOF {
			err = &Fault{File: f.Name(), Offset: p.off, Cause: "the file has become shorter"}
		}
		return nil, err
	}
	var run []raft.Log
	off := p.off
	for len(buf) > 0 {
		n, width, bad := decodePrefix(buf)
		if bad == "" && width+n > len(buf) {
			bad = "record goes on beyond what was written"
		}
		var h header
		if bad == "" {
			h, bad = decodeFrame(buf[width:width+n], k, p.segment, off+int64(width), index)
		}
		if bad != "" && len(run) == 0 {
			return nil, &Fault{File: f.Name(), Offset: off, Cause: bad}
		}
		if bad != "" {
			break // cut off by the read, or for the one who asks for it to find out
		}
		run = append(run, h.entry(buf[width:width+n]))
		buf, off, index = buf[width+n:], off+int64(width+n), index+1
	}
	return run, nil
}

// BytesSince returns how many bytes of the files the entries after index take.
func (l *Log) BytesSince(index uint64) uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var sum int64
	for i := len(l.segs) - 1; i >= 0; i-- {
		s := l.segs[i]
		if index >= s.first {
			if n := index - s.first; n < uint64(len(s.offs)) {
				sum += s.size - s.end(int(n))
			}
			break
		}
		sum += s.size
	}
	return uint64(sum)
}

// OldestWithin returns the lowest index such that the entries from it to the end
// take at most maxBytes of the files; LastIndex + 1 if not even the last one
// does, 0 if the log is empty. With TrailingLogs = LastIndex + 1 - OldestWithin,
// raft keeps entries by bytes.
func (l *Log) OldestWithin(maxBytes uint64) uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.empty() {
		return 0
	}
	var after int64 // bytes of the segments after s
	for i := len(l.segs) - 1; i >= 0; i-- {
		s := l.segs[i]
		if uint64(after+s.size) > maxBytes {
			n := sort.Search(len(s.offs), func(j int) bool { return uint64(after+s.size-int64(s.offs[j])) <= maxBytes })
			return s.first + uint64(n)
		}
		after += s.size
	}
	return l.segs[0].first
}
