package jepsen

import (
	"sort"
)

// checkLocalReads holds the reads that a member answers from its own view: at
// one member the index they show never goes back, over restarts too. What they
// show is the order checker's business.
func checkLocalReads(r *Run, _ Limits) Result {
	c := &collector{checker: "local-reads"}
	byMember := map[string][]*Operation{}
	var members []string
	for i := range r.History {
		o := &r.History[i]
		if o.Op != LocalRead && o.Op != LocalList || o.EtcdIndex == 0 || !asksState(o) {
			continue
		}
		m := r.member(o.Member)
		if byMember[m] == nil {
			members = append(members, m)
		}
		byMember[m] = append(byMember[m], o)
	}
	sort.Strings(members)
	for _, m := range members {
		checkNotBack(r, byMember[m], c)
	}
	return c.result()
}

// checkNotBack holds the indices of reads through one member against real time.
func checkNotBack(r *Run, byReturn []*Operation, c *collector) {
	byCall := append([]*Operation(nil), byReturn...)
	sort.SliceStable(byCall, func(a, b int) bool { return byCall[a].Call < byCall[b].Call })
	sort.SliceStable(byReturn, func(a, b int) bool { return byReturn[a].Return < byReturn[b].Return })
	var most *Operation
	for _, o := range byCall {
		c.operations++
		for ; len(byReturn) > 0 && byReturn[0].Return < o.Call; byReturn = byReturn[1:] {
			if most == nil || byReturn[0].EtcdIndex > most.EtcdIndex {
				most = byReturn[0]
			}
		}
		if most != nil && o.EtcdIndex < most.EtcdIndex {
			c.add(o.Key, o.Return, "%s went back to index %d: the same member had shown index %d to %s", r.tell(o), o.EtcdIndex, most.EtcdIndex, r.tell(most))
		}
	}
}
