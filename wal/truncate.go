package wal

import (
	"fmt"
	"os"
	"path/filepath"
)

// DeleteRange deletes the entries from lo to hi, which must be a prefix or a
// suffix of the log, or all of it (else ErrMiddle). Indices outside the log are
// taken for its ends.
//
// Of a prefix only whole segments go, and the last segment always stays. The
// rest is simply kept and served: these entries are committed and correct, raft
// asks for them or not, its next compaction asks for their deletion again, and
// nothing has to be remembered across a crash.
//
// A log of which everything was deleted is empty, remembers where it began, and
// may continue anywhere from there on.
func (l *Log) DeleteRange(lo, hi uint64) error {
	l.tmu.Lock()
	defer l.tmu.Unlock()
	if err := l.check(); err != nil {
		return err
	}
	first, next := l.bounds()
	switch {
	case lo > hi || hi < first || lo >= next:
		return nil
	case hi >= next-1:
		return l.deleteToEnd(lo, hi)
	case lo <= first:
		return l.dropPrefix(hi)
	}
	return fmt.Errorf("delete entries %d to %d of %d to %d: %w", lo, hi, first, next-1, ErrMiddle)
}

// deleteToEnd is DeleteRange of what looked like a suffix, or like all of the
// log. A compaction runs beside appends: that it is one can only be said while
// no append is under way, or it would cut off what the append makes durable.
func (l *Log) deleteToEnd(lo, hi uint64) error {
	l.wmu.Lock()
	err := l.check()
	first, next := l.bounds()
	if err == nil && first < next && hi >= next-1 {
		defer l.wmu.Unlock()
		return l.cutSuffix(max(lo, first))
	}
	l.wmu.Unlock()
	if err != nil || first == next {
		return err
	}
	return l.dropPrefix(hi)
}

// Reset empties the log. The next entry stored must be next or, if a snapshot
// beyond it was installed meanwhile, a later one.
func (l *Log) Reset(next uint64) error {
	l.tmu.Lock()
	defer l.tmu.Unlock()
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if err := l.check(); err != nil {
		return err
	}
	if next == 0 {
		return fmt.Errorf("reset log: indices start at 1")
	}
	return l.reset(next)
}

// reset does Reset. wmu must be held, and tmu too unless the log is empty: then
// no prefix is being dropped.
func (l *Log) reset(next uint64) error {
	l.forget(func() { l.segs = []*segment{{first: next}} })
	return l.guard("reset log", func() error {
		if err := l.closeTail(); err != nil {
			return err
		}
		h := l.hdr
		h.resetTo = next
		if err := writeLogHeader(l.dir, h); err != nil {
			return err
		}
		if err := finishReset(l.dir, h); err != nil {
			return err
		}
		return l.openTail()
	})
}

// forget changes what readers see, before the files change.
func (l *Log) forget(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gen++
	change()
	l.cache.clear()
}

// dropPrefix removes the segments whose entries are all at or below hi, oldest
// first, syncing the directory after each: what is left after a crash is always
// the log without some of its oldest segments. Writes go on meanwhile: they
// touch only the last segment, which stays, and tidwall/wal never looks at the
// others again, so it need not be closed.
func (l *Log) dropPrefix(hi uint64) error {
	var gone []uint64
	l.mu.Lock()
	for len(l.segs) > 1 && l.segs[0].next()-1 <= hi {
		gone = append(gone, l.segs[0].first)
		l.segs = l.segs[1:]
		l.gen++
	}
	l.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	return l.guard("delete oldest segments", func() error {
		for _, first := range gone {
			if err := l.removeSegment(first); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *Log) removeSegment(first uint64) error {
	if err := remove(segmentPath(l.dir, first)); err != nil {
		return fmt.Errorf("remove segment: %w", err)
	}
	return syncDir(l.dir)
}

// cutSuffix deletes the entries from index from on, in steps after each of which
// the files are a log again:
//
//  1. lower the hint, which would otherwise prove the rest missing;
//  2. remove the segments after the cut, newest first, syncing the directory
//     after each, so that there is never a hole;
//  3. cut the segment that holds from, and sync it.
//
// tidwall/wal is closed meanwhile, because it has the last segment open. tmu and
// wmu must be held, and the log must hold from.
func (l *Log) cutSuffix(from uint64) error {
	var keep *segment
	var gone []uint64
	l.forget(func() {
		s, i := find(l.segs, from)
		keep = &segment{first: s.first, offs: s.offs[:i:i], size: int64(s.offs[i])}
		for l.segs[len(l.segs)-1] != s {
			gone = append(gone, l.segs[len(l.segs)-1].first)
			l.segs = l.segs[:len(l.segs)-1]
		}
		l.segs[len(l.segs)-1] = keep
	})
	return l.guard("delete newest entries", func() error {
		if err := l.closeTail(); err != nil {
			return err
		}
		w := watermark{index: from - 1, segment: keep.first, offset: keep.size}
		if err := lowerHint(l.dir, l.key, w, l.batch); err != nil {
			return err
		}
		for _, first := range gone {
			if err := l.removeSegment(first); err != nil {
				return err
			}
		}
		if err := truncateSynced(segmentPath(l.dir, keep.first), keep.size); err != nil {
			return err
		}
		return l.openTail()
	})
}

func truncateSynced(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, fileMode)
	if err != nil {
		return fmt.Errorf("cut %s: %w", filepath.Base(path), err)
	}
	if err = truncate(f, size); err == nil {
		err = syncFile(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("cut %s: %w", filepath.Base(path), err)
	}
	return nil
}
