package wal

import (
	"fmt"
	"time"

	"github.com/hashicorp/raft"
	tidwal "github.com/tidwall/wal"
)

// StoreLog stores one entry; see StoreLogs.
func (l *Log) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

// StoreLogs appends entries and returns when they are durable, after one fsync.
// They must continue the log without a hole (else ErrGap); an empty log may also
// begin later than expected, because raft installs a snapshot into an empty log
// without a word to the log. It keeps the entries' Data and Extensions for
// readers: they must not be changed afterwards.
//
// ErrGap and ErrTooLarge mean that nothing was written. After any other error
// the log is poisoned, and whether the entries are durable is unknown.
func (l *Log) StoreLogs(entries []*raft.Log) error {
	if len(entries) == 0 {
		return l.check()
	}
	if err := l.store(entries); err != nil {
		return err
	}
	if l.onSync != nil {
		l.onSync(entries[len(entries)-1].Index)
	}
	return nil
}

func (l *Log) store(entries []*raft.Log) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if err := l.check(); err != nil {
		return err
	}
	for i, e := range entries {
		if n := len(e.Data) + len(e.Extensions); n > MaxEntryBytes {
			return fmt.Errorf("store entry %d: %d bytes: %w; an entry holds at most %d", e.Index, n, ErrTooLarge, MaxEntryBytes)
		}
		if want := entries[0].Index + uint64(i); e.Index != want || e.Index == 0 {
			return fmt.Errorf("store entry %d after %d: %w", e.Index, want-1, ErrGap)
		}
	}
	l.mu.RLock()
	tail, empty := l.segs[len(l.segs)-1], l.empty()
	next, tailFirst, size := tail.next(), tail.first, tail.size
	l.mu.RUnlock()
	first := entries[0].Index
	if first < next || first > next && !empty {
		return fmt.Errorf("store entry %d, next is %d: %w", first, next, ErrGap)
	}
	if first > next {
		if err := l.reset(first); err != nil {
			return err
		}
		tailFirst = first
	}
	var runs []segment
	err := l.judge("store entries", l.hand.within(func() (err error) {
		runs, err = l.append(entries, tailFirst, size)
		return err
	}))
	if err != nil {
		return err
	}
	l.publish(entries, runs)
	return nil
}

// append writes and syncs entries, starting at byte size of the segment that
// starts with entry first, and returns where they are, a run per segment.
//
// It foretells what tidwall/wal does: a segment ends with the record that brings
// it to SegmentBytes. Each part handed to the library ends there at the latest,
// so that the library makes at most one new segment file at a time, having
// synced the full one, and the directory is synced before the next: that is what
// lets Open call any damage before the last file damage.
func (l *Log) append(entries []*raft.Log, first uint64, size int64) ([]segment, error) {
	l.batch++
	run := segment{first: first}
	var runs []segment
	written := 0
	for _, e := range entries {
		n := headerBytes + len(e.Data) + len(e.Extensions)
		l.scratch = appendFrame(l.scratch[:0], l.key, first, size+int64(prefixLen(n)), e, l.batch, l.durable)
		l.tbatch.Write(e.Index, l.scratch)
		run.offs = append(run.offs, uint32(size))
		size += int64(prefixLen(n) + n)
		written += n
		if size < int64(l.o.SegmentBytes) {
			continue
		}
		if err := l.fillSegment(e.Index + 1); err != nil {
			return nil, err
		}
		l.durable = watermark{index: e.Index, segment: first, offset: size}
		run.size = size
		runs = append(runs, run)
		first, size = e.Index+1, 0
		run = segment{first: first}
	}
	if len(run.offs) > 0 {
		if err := l.tail.WriteBatch(l.tbatch); err != nil {
			return nil, fmt.Errorf("write: %w", err)
		}
		if err := l.room.extend(size, int64(l.o.SegmentBytes)); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := l.room.sync(); err != nil {
			return nil, fmt.Errorf("sync: %w", err)
		}
		l.timed(began)
		l.durable = watermark{index: entries[len(entries)-1].Index, segment: first, offset: size}
	}
	run.size = size
	if written > scratchBytes {
		l.scratch, l.tbatch = nil, new(tidwal.Batch)
	}
	return append(runs, run), l.hint.put(l.durable, l.batch)
}

// fillSegment writes the batch that fills the last segment. The library syncs
// that segment and creates the next, which starts with entry next.
func (l *Log) fillSegment(next uint64) error {
	began := time.Now()
	if err := l.tail.WriteBatch(l.tbatch); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := syncDir(l.dir); err != nil {
		return err
	}
	// The library keeps the full segment in memory, for reads that are not
	// asked of it here.
	if err := l.tail.ClearCache(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	l.timed(began)
	return l.room.move(l.dir, next)
}

// publish lets readers see entries, which are durable now.
func (l *Log) publish(entries []*raft.Log, runs []segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tail := l.segs[len(l.segs)-1]
	added := -tail.size
	for i := range runs {
		added += runs[i].size
	}
	l.written.entries.Add(uint64(len(entries)))
	l.written.bytes.Add(uint64(added))
	tail.offs = append(tail.offs, runs[0].offs...)
	tail.size = runs[0].size
	for i := range runs[1:] {
		l.segs = append(l.segs, &runs[i+1])
	}
	for _, e := range entries {
		l.cache.add(normal(e))
	}
}
