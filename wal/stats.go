package wal

import (
	"sync/atomic"
	"time"
)

// Stats says what a log holds and has written.
type Stats struct {
	// FirstIndex and LastIndex are those of the entries held, 0 if there is
	// none; Segments and Bytes the files they lie in and their size.
	FirstIndex, LastIndex uint64
	Segments              int
	Bytes                 uint64
	// EntriesWritten and BytesWritten count since Open what StoreLogs made
	// durable; the bytes are those of the records in the files.
	EntriesWritten, BytesWritten uint64
	// CacheBytes are the decoded entries kept in memory, CacheLimitBytes what
	// bounds them.
	CacheBytes, CacheLimitBytes int
}

// counters is the state behind Stats that nothing else keeps.
type counters struct{ entries, bytes atomic.Uint64 }

// Stats returns the figures as they stand. They can be had of a poisoned or
// closed log, too.
func (l *Log) Stats() Stats {
	s := Stats{
		EntriesWritten: l.written.entries.Load(), BytesWritten: l.written.bytes.Load(),
		CacheLimitBytes: l.o.CacheBytes,
	}
	l.cache.mu.Lock()
	s.CacheBytes = l.cache.bytes
	l.cache.mu.Unlock()
	l.mu.RLock()
	defer l.mu.RUnlock()
	s.Segments = len(l.segs)
	for _, one := range l.segs {
		s.Bytes += uint64(one.size)
	}
	if first, next := l.segs[0].first, l.segs[len(l.segs)-1].next(); first != next {
		s.FirstIndex, s.LastIndex = first, next-1
	}
	return s
}

// timed tells Options.Synced how long a sync took that began at that time.
func (l *Log) timed(began time.Time) {
	if l.o.Synced != nil {
		l.o.Synced(time.Since(began))
	}
}
