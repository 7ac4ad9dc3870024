package wal

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// cache keeps decoded entries, bounded by their size on disk. The oldest to come
// leaves first: nearly all reads are of the log's end, by followers that keep
// up, and the rest are a lagging follower's, which reads each entry once.
type cache struct {
	mu      sync.Mutex
	max     int
	bytes   int
	entries map[uint64]raft.Log
	order   []uint64 // indices as they came; those before head have left
	head    int
}

func newCache(maxBytes int) *cache {
	return &cache{max: maxBytes, entries: make(map[uint64]raft.Log)}
}

func entryBytes(e *raft.Log) int { return headerBytes + len(e.Data) + len(e.Extensions) }

func (c *cache) get(index uint64) (raft.Log, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[index]
	return e, ok
}

func (c *cache) add(e raft.Log) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[e.Index]; ok || entryBytes(&e) > c.max {
		return
	}
	c.entries[e.Index] = e
	c.order = append(c.order, e.Index)
	c.bytes += entryBytes(&e)
	for c.bytes > c.max {
		old := c.entries[c.order[c.head]]
		c.bytes -= entryBytes(&old)
		delete(c.entries, old.Index)
		c.head++
	}
	if c.head > 1024 && c.head > len(c.order)/2 {
		c.order = append(c.order[:0], c.order[c.head:]...)
		c.head = 0
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	c.order, c.head, c.bytes = nil, 0, 0
}

// normal returns an entry exactly as it would be read back from disk, so that
// the cache makes no difference: the time without its zone and its monotonic
// reading, no slice rather than an empty one.
func normal(e *raft.Log) raft.Log {
	n := *e
	n.AppendedAt = time.Unix(e.AppendedAt.Unix(), int64(e.AppendedAt.Nanosecond())).UTC()
	if len(n.Data) == 0 {
		n.Data = nil
	}
	if len(n.Extensions) == 0 {
		n.Extensions = nil
	}
	return n
}
