package jepsen

import (
	"cmp"
	"slices"
	"time"
)

// logged is an event of the committed log, with the commit by which it was
// first applied anywhere.
type logged struct {
	*Event
	*Commit
}

// eventLog is the committed log, put together from what all members applied.
type eventLog struct {
	events  []logged  // of store index i+1; without Event where nobody reported it
	entries []*Commit // first applied of each log index, by log index; no restored states
	gap     uint64    // the first store index below the highest that nobody reported; 0: none
}

// last is the highest store index that somebody reported an event of.
func (l *eventLog) last() uint64 { return uint64(len(l.events)) }

// at gives the event of a store index, nil if nobody reported one.
func (l *eventLog) at(index uint64) *logged {
	if index == 0 || index > l.last() || l.events[index-1].Event == nil {
		return nil
	}
	return &l.events[index-1]
}

// sure tells whether the state at a store index is known.
func (l *eventLog) sure(index uint64) bool {
	return index <= l.last() && (l.gap == 0 || index < l.gap)
}

// newEventLog merges the commits. Members that disagree are findings of c.
func newEventLog(r *Run, c *collector) *eventLog {
	l := &eventLog{}
	byLog := make(map[uint64]*Commit, len(r.Commits))
	total, highest := uint64(0), uint64(0)
	for i := range r.Commits {
		k := &r.Commits[i]
		if k.Restored {
			highest = max(highest, k.StoreIndex)
			continue
		}
		total += uint64(len(k.Events))
		if first := byLog[k.LogIndex]; first == nil || k.At < first.At {
			byLog[k.LogIndex] = k
		}
	}
	l.entries = make([]*Commit, 0, len(byLog))
	for i := range r.Commits {
		if k := &r.Commits[i]; byLog[k.LogIndex] == k {
			l.entries = append(l.entries, k)
		}
	}
	slices.SortFunc(l.entries, func(a, b *Commit) int { return cmp.Compare(a.LogIndex, b.LogIndex) })
	for i := range r.Commits {
		for j := range r.Commits[i].Events {
			l.add(&r.Commits[i].Events[j], &r.Commits[i], total+highest, c)
		}
	}
	l.gap = uint64(slices.IndexFunc(l.events, func(e logged) bool { return e.Event == nil }) + 1)
	return l
}

// add puts an event in its place. Indices have no gaps, so one beyond limit
// is damaged, and must not make the log grow without bound.
func (l *eventLog) add(e *Event, k *Commit, limit uint64, c *collector) {
	if e.Index == 0 || e.Index > limit {
		c.add(e.Key, k.At, "%s applied an event of store index %d at %s (log index %d), but no more than %d can have been given out",
			k.Member, e.Index, sec(k.At), k.LogIndex, limit)
		return
	}
	for l.last() < e.Index {
		l.events = append(l.events, logged{})
	}
	known := &l.events[e.Index-1]
	switch {
	case known.Event == nil:
		*known = logged{e, k}
		return
	case *known.Event != *e:
		c.add(e.Key, k.At, "members disagree on store index %d: %s applied %s at %s (log index %d), %s applied %s at %s (log index %d)", e.Index,
			known.Member, known.Event, sec(known.At), known.LogIndex, k.Member, e, sec(k.At), k.LogIndex)
	}
	if k.At < known.At {
		*known = logged{e, k}
	}
}

// upTo is the last entry of commands up to a log index, nil if none is known:
// entries that are none, such as a leader's first, are not reported.
func (l *eventLog) upTo(logIndex uint64) *Commit {
	i, found := slices.BinarySearchFunc(l.entries, logIndex, func(k *Commit, index uint64) int { return cmp.Compare(k.LogIndex, index) })
	if found {
		return l.entries[i]
	}
	if i == 0 {
		return nil
	}
	return l.entries[i-1]
}

// nowAt is cluster time after the entry that brought the event.
func (g *logged) nowAt() int64 { return g.Commit.Now }

// deadlineFor is the deadline that a time to live in seconds gives an event.
func (g *logged) deadlineFor(ttl int64) int64 {
	if ttl == 0 {
		return 0
	}
	return max(g.nowAt()+ttl*int64(time.Second), 1)
}
