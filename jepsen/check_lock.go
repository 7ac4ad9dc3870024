package jepsen

import "sort"

// checkLock holds what makes a lock of create and a fencing token of its
// modifiedIndex: whoever gets the key that somebody else had got before gets a
// higher token, only after the key was taken away in between; and a change
// that is fenced by a token takes place only if nobody came between.
func checkLock(r *Run, _ Limits) Result {
	c := &collector{checker: "lock"}
	l := newEventLog(r, nil)
	touched := map[string][]*logged{} // by key, in the order of the log
	removals := map[string][]*logged{}
	for i := uint64(1); i <= l.last(); i++ {
		if g := l.at(i); g != nil && g.Action != actionInternal {
			touched[g.Key] = append(touched[g.Key], g)
			if removes(g.Action) {
				removals[g.Key] = append(removals[g.Key], g)
			}
		}
	}
	gotten := map[string][]*Operation{}
	var keys []string
	for i := range r.History {
		o := &r.History[i]
		switch {
		case o.Outcome != OK || o.ModifiedIndex == 0:
		case o.Op == Create:
			c.operations++
			if gotten[o.Key] == nil {
				keys = append(keys, o.Key)
			}
			gotten[o.Key] = append(gotten[o.Key], o)
		case (o.Op == CAS || o.Op == CAD) && o.PrevIndex != 0:
			c.operations++
			if g := between(touched[o.Key], o.PrevIndex, o.ModifiedIndex); g != nil {
				c.add(o.Key, o.Return, "%s, fenced by token %d, was confirmed with index %d, though event %d (%s) came between, first applied by %s at %s",
					r.tell(o), o.PrevIndex, o.ModifiedIndex, g.Index, g.Event, g.Member, sec(g.At))
			}
		}
	}
	sort.Strings(keys)
	for _, key := range keys {
		checkTokens(r, key, gotten[key], removals, c)
	}
	return c.result()
}

// between is the first event with an index between two, both excluded.
func between(events []*logged, from, to uint64) *logged {
	i := sort.Search(len(events), func(i int) bool { return events[i].Index > from })
	if i < len(events) && events[i].Index < to {
		return events[i]
	}
	return nil
}

func checkTokens(r *Run, key string, got []*Operation, removals map[string][]*logged, c *collector) {
	sort.SliceStable(got, func(a, b int) bool { return got[a].ModifiedIndex < got[b].ModifiedIndex })
	for i := 1; i < len(got); i++ {
		a, b := got[i-1], got[i]
		if b.Return < a.Call {
			c.add(key, b.Return, "%s got token %d, and later %s got token %d, which is no higher", r.tell(b), b.ModifiedIndex, r.tell(a), a.ModifiedIndex)
		}
		if len(r.Commits) == 0 {
			continue
		}
		released := false
		for path := key; !released; path = parent(path) {
			released = between(removals[path], a.ModifiedIndex, b.ModifiedIndex) != nil
			if path == "/" {
				break
			}
		}
		if !released {
			c.add(key, b.Return, "%s got token %d and %s got token %d, though nothing took the key away in between",
				r.tell(a), a.ModifiedIndex, r.tell(b), b.ModifiedIndex)
		}
	}
}
