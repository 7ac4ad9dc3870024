package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	tidwal "github.com/tidwall/wal"
)

var (
	_ raft.LogStore          = (*Log)(nil)
	_ raft.MonotonicLogStore = (*Log)(nil)
)

// Options of a Log. The zero value is right for production.
type Options struct {
	// SegmentBytes is the size at which a segment file is full; 1 to
	// MaxSegmentBytes, DefaultSegmentBytes if 0. It may change between two
	// opens.
	SegmentBytes int
	// SyncDeadline is how long a write, a sync or a truncation may take
	// before the log is given up as poisoned; DefaultSyncDeadline if 0. Under
	// wasip1 a call that hangs stops the whole program, and no deadline helps.
	SyncDeadline time.Duration
	// Fatal is told once why the log is poisoned, before the call that failed
	// returns. It should end the process: a hung write may still land, and a
	// member with a dead log goes on answering heartbeats. The log is locked
	// meanwhile: Fatal must not close it. If nil, the log merely stays poisoned.
	Fatal func(error)
	// CacheBytes bounds the decoded entries kept in memory;
	// DefaultCacheBytes if 0.
	CacheBytes int
	// Synced is told how long each sync of the last segment took, by the
	// goroutine that made it: it must return at once. A write that fills a
	// segment counts until its successor is made. May be nil.
	Synced func(took time.Duration)
	// Logf is told of repairs and of what Reconcile does; may be nil.
	Logf func(format string, args ...any)
}

func (o *Options) setDefaults() error {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = DefaultSegmentBytes
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.SyncDeadline == 0 {
		o.SyncDeadline = DefaultSyncDeadline
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.SegmentBytes < 1 || o.SegmentBytes > MaxSegmentBytes || o.CacheBytes < 0 || o.SyncDeadline < 0 {
		return fmt.Errorf("open log: options: segment bytes %d, cache bytes %d, sync deadline %v: out of range; segments take 1 to %d bytes, the others no negative value",
			o.SegmentBytes, o.CacheBytes, o.SyncDeadline, MaxSegmentBytes)
	}
	return nil
}

// appender is the part of tidwall/wal that is used. Its reading (a data race)
// and its truncation (not crash-safe) are not.
type appender interface {
	LastIndex() (uint64, error)
	WriteBatch(*tidwal.Batch) error
	ClearCache() error
	Close() error
}

// openAppender opens tidwall/wal. Tests put a disk that fails or hangs between.
var openAppender = openLibrary

// Log is raft's log on disk: a raft.LogStore. Its methods may be called from
// several goroutines at once; reads do not wait for a write's sync.
type Log struct {
	dir string
	o   Options
	key frameKey
	hdr logHeader
	// hinted is as of Open.
	hinted bool

	// Three locks, always taken in this order. tmu is held while segment files
	// are removed, wmu while the tail is written or cut, mu only to look at or
	// change what is in memory, never during a write or a sync.
	tmu sync.Mutex
	wmu sync.Mutex
	mu  sync.RWMutex

	// Guarded by wmu; while an operation runs in a goroutine (guard, hand),
	// that goroutine has them, but for the hand. An operation that hangs keeps them for ever,
	// and the log is poisoned before wmu is let go.
	tail    appender
	room    *room
	hint    *hint
	batch   uint64    // number of the last StoreLogs
	durable watermark // up to where the log has been synced
	tbatch  *tidwal.Batch
	scratch []byte
	hand    hand // stores entries

	// Guarded by mu.
	segs  []*segment // never empty; only the last one may hold no entry
	gen   uint64     // counts truncations: what was looked up before may be gone
	cache *cache

	written    counters
	onSync     func(uint64)
	poisonOnce sync.Once
	poisoned   atomic.Pointer[error]
	hung       atomic.Bool
	closed     atomic.Bool
}

// Open verifies the log in dir, repairs the trace of an interrupted write, and
// opens it; it makes the directory and an empty log if there is none. Damage to
// synced data is refused with a *Fault (ErrCorrupt). All segments are read once.
func Open(dir string, o Options) (*Log, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	if err := mkdirDurable(dir); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &Log{dir: dir, o: o, cache: newCache(o.CacheBytes), tbatch: new(tidwal.Batch), hand: hand{limit: o.SyncDeadline}}
	im, err := l.load()
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l.hdr, l.key, l.segs, l.batch = im.header, im.key, im.segs, im.batch
	l.hinted = im.hintBad == "" || l.segs[0].first == l.segs[len(l.segs)-1].next()
	if err := l.openTail(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l, nil
}

// Hinted tells whether the log, when it was opened, knew how far it had been
// durable, or held no entry. Without that a damaged record and one that a power
// cut tore are told apart by less.
func (l *Log) Hinted() bool { return l.hinted }

// load brings the directory into a state that needs no repair and returns what
// it then holds.
func (l *Log) load() (*image, error) {
	for _, name := range []string{headerFile, hintFile} {
		if _, err := removeTmp(filepath.Join(l.dir, name)); err != nil {
			return nil, err
		}
	}
	if err := l.ensureHeader(); err != nil {
		return nil, err
	}
	im, err := examine(l.dir)
	if err != nil {
		return nil, err
	}
	// The reading before takes as long as it takes. What is left to do is little,
	// and a disk that does not do it must not keep a member silent for ever.
	if im.header.resetTo != 0 {
		if err := within(l.o.SyncDeadline, func() error { return finishReset(l.dir, im.header) }); err != nil {
			return nil, fmt.Errorf("finish reset: %w", err)
		}
		im.header.resetTo = 0
		return im, nil
	}
	if err := within(l.o.SyncDeadline, func() error { return im.repair(l.dir, l.o.Logf) }); err != nil {
		return nil, fmt.Errorf("make what was found durable: %w", err)
	}
	return im, nil
}

// ensureHeader writes the header of a new log. A directory with segments but
// without a header is no new log: the header was durable before them.
func (l *Log) ensureHeader() error {
	_, err := readLogHeader(l.dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := headerLost(l.dir); err != nil {
		return err
	}
	h, err := newLogHeader()
	if err != nil {
		return err
	}
	return writeLogHeader(l.dir, h)
}

// headerLost returns a *Fault if other files show that a log without a header had
// one.
func headerLost(dir string) error {
	firsts, err := listSegments(dir)
	if err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(dir, hintFile))
	if len(firsts) > 0 || err == nil {
		return &Fault{File: filepath.Join(dir, headerFile), Cause: "the file is missing, but there are others of the log"}
	}
	return nil
}

// openTail opens tidwall/wal and the hint on a directory that is in order. The
// library starts a new segment when the last one is full; a last one that is
// full already (an interrupted start, smaller segments than last time) gets its
// successor here, so that places in the file can be foretold in append.
func (l *Log) openTail() error {
	tail := l.segs[len(l.segs)-1]
	if tail.size >= int64(l.o.SegmentBytes) {
		if err := startSegment(l.dir, tail.next()); err != nil {
			return err
		}
		tail = &segment{first: tail.next()}
		l.mu.Lock()
		l.segs = append(l.segs, tail)
		l.mu.Unlock()
	}
	t, err := openAppender(l.dir, &tidwal.Options{
		NoSync:           true, // append syncs, once for all parts of a batch
		SegmentSize:      l.o.SegmentBytes,
		SegmentCacheSize: 1,
		AllowEmpty:       true,
		DirPerms:         dirMode,
		FilePerms:        fileMode,
	})
	if err != nil {
		return fmt.Errorf("open segments: %w", err)
	}
	if last, err := t.LastIndex(); err != nil || last != tail.next()-1 {
		return errors.Join(fmt.Errorf("open segments: tidwall/wal ends with entry %d, verified up to %d: %v", last, tail.next()-1, err), t.Close())
	}
	r, err := openRoom(l.dir, tail.first, tail.size)
	if err != nil {
		return errors.Join(err, t.Close())
	}
	h, err := openHint(l.dir, l.key)
	if err != nil {
		return errors.Join(err, r.close(), t.Close())
	}
	l.tail, l.room, l.hint = t, r, h
	l.durable = watermark{index: tail.next() - 1, segment: tail.first, offset: tail.size}
	if err := l.hint.put(l.durable, l.batch); err != nil {
		return errors.Join(err, l.closeTail())
	}
	return nil
}

func (l *Log) closeTail() error {
	return errors.Join(l.tail.Close(), l.room.close(), l.hint.close())
}

// Close syncs and closes the files. A poisoned log is abandoned instead.
func (l *Log) Close() error {
	l.tmu.Lock()
	defer l.tmu.Unlock()
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if l.closed.Swap(true) {
		return ErrClosed
	}
	l.hand.close()
	if l.hung.Load() {
		return *l.poisoned.Load() // the files belong to the call that hangs
	}
	var err error
	if l.poisoned.Load() == nil {
		err = l.room.trim(l.segs[len(l.segs)-1].size)
	}
	err = errors.Join(err, l.closeTail())
	if p := l.poisoned.Load(); p != nil {
		return *p
	}
	if err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

// OnSync sets a function that is called with the last index after each StoreLogs
// whose sync has returned, before StoreLogs returns. To be set before use.
func (l *Log) OnSync(f func(lastIndex uint64)) { l.onSync = f }

// IsMonotonic tells raft that the log has no holes, so that it empties the log
// when it installs a snapshot.
func (l *Log) IsMonotonic() bool { return true }

// check returns why the log cannot be used any more, if so.
func (l *Log) check() error {
	if p := l.poisoned.Load(); p != nil {
		return *p
	}
	if l.closed.Load() {
		return ErrClosed
	}
	return nil
}

// within runs an operation that writes, in a goroutine of its own, and waits for
// it as long as the limit says.
func within(limit time.Duration, op func() error) error {
	done := make(chan error, 1)
	go func() { done <- op() }()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return fmt.Errorf("%w within %v", ErrHangs, limit)
	}
}

// guard runs an operation that writes, under the deadline. If it fails or
// hangs, the log is poisoned.
func (l *Log) guard(what string, op func() error) error {
	return l.judge(what, within(l.o.SyncDeadline, op))
}

// judge poisons the log if an operation that writes failed or hung.
func (l *Log) judge(what string, err error) error {
	if errors.Is(err, ErrHangs) {
		l.hung.Store(true)
	}
	if err != nil {
		return l.poison(fmt.Errorf("%s: %w", what, err))
	}
	return nil
}

func (l *Log) poison(cause error) error {
	l.poisonOnce.Do(func() {
		err := fmt.Errorf("%w: %w; the outcome is unknown, restart the process", ErrPoisoned, cause)
		l.poisoned.Store(&err)
		l.o.Logf("wal: %v", err)
		if l.o.Fatal != nil {
			l.o.Fatal(err)
		}
	})
	return *l.poisoned.Load()
}
