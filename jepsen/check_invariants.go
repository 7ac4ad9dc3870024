package jepsen

import (
	"cmp"
	"slices"
)

// checkInvariants holds what members say of themselves against what Raft and
// the state machine promise: one log, applied in order by everybody with the
// same results, and one leader a term, elected by votes that are given once.
//
// A member that finds its raft stuck after an install builds it anew in the
// same process, and takes over the newest snapshot once more: then its applied
// index may go back. Such a rebuild shows in the vote that it reads back from
// disk (or in a member that never voted); what it applies again is held
// against the log like everything else. Any other way back is a finding.
func checkInvariants(r *Run, _ Limits) Result {
	c := &collector{checker: "invariants", operations: len(r.Commits) + len(r.Roles) + len(r.Votes)}
	entries := newEventLog(r, nil).entries
	checkLog(entries, c)
	checkAgreement(r, entries, c)
	checkProgress(r, c)
	checkTerms(r, c)
	checkVotes(r, c)
	return c.result()
}

// checkLog looks along the log: nothing decreases.
func checkLog(entries []*Commit, c *collector) {
	for i, k := range entries {
		if n := uint64(len(k.Events)); n > 0 {
			for j := range k.Events {
				if want := k.StoreIndex - n + 1 + uint64(j); k.Events[j].Index != want {
					c.add(k.Events[j].Key, k.At, "log index %d, applied by %s at %s, ends at store index %d with %d events; number %d of them must have index %d and has %d",
						k.LogIndex, k.Member, sec(k.At), k.StoreIndex, n, j+1, want, k.Events[j].Index)
					break
				}
			}
		}
		if i == 0 {
			continue
		}
		before := entries[i-1]
		for _, v := range []struct {
			what      string
			was, then uint64
		}{
			{"X-Etcd-Index", before.StoreIndex, k.StoreIndex},
			{"cluster time (ns)", uint64(before.Now), uint64(k.Now)},
			{"the term", before.Term, k.Term},
			{"the clock session", before.Session, k.Session},
		} {
			if v.then < v.was {
				c.add("", k.At, "%s goes back along the log: %d at log index %d (%s, %s), %d at log index %d (%s, %s)",
					v.what, v.was, before.LogIndex, before.Member, sec(before.At), v.then, k.LogIndex, k.Member, sec(k.At))
			}
		}
	}
}

// checkAgreement holds every member's every life against the log: the same
// index means the same entry, the same results and the same state.
func checkAgreement(r *Run, entries []*Commit, c *collector) {
	for i := range r.Commits {
		k := &r.Commits[i]
		at, ok := slices.BinarySearchFunc(entries, k.LogIndex, func(e *Commit, index uint64) int { return cmp.Compare(e.LogIndex, index) })
		if !ok {
			if at == 0 {
				continue // a snapshot older than all that was seen
			}
			at-- // a snapshot may end with an entry that is not a command: no command since the one before
		}
		e := entries[at]
		if k == e {
			continue
		}
		what := differs(k, e)
		if what == "" {
			continue
		}
		how := "applied"
		if k.Restored {
			how = "restored from a snapshot"
		}
		c.add("", k.At, "%s differs at log index %d: %s (life %d) %s it at %s with hash %016x, term %d, index %d, cluster time %s, %d events; %s (life %d) applied %d at %s with hash %016x, term %d, index %d, cluster time %s, %d events",
			what, k.LogIndex, k.Member, k.Life, how, sec(k.At), k.Hash, k.Term, k.StoreIndex, sec(k.Now), len(k.Events),
			e.Member, e.Life, e.LogIndex, sec(e.At), e.Hash, e.Term, e.StoreIndex, sec(e.Now), len(e.Events))
	}
}

func differs(k, e *Commit) string {
	switch {
	case !k.Restored && k.Term != e.Term:
		return "the term of the entry"
	case !k.Restored && !slices.Equal(k.Events, e.Events):
		return "the list of events"
	case k.StoreIndex != e.StoreIndex:
		return "X-Etcd-Index"
	case k.Now != e.Now || k.Session != e.Session:
		return "the clock"
	case k.Hash != e.Hash:
		return "the history hash"
	}
	return ""
}

type process struct {
	member string
	life   int
}

// checkProgress looks at each life: what it applies goes on from what it had.
func checkProgress(r *Run, c *collector) {
	last := map[process]*Commit{}
	for i := range r.Commits {
		k := &r.Commits[i]
		p := process{k.Member, k.Life}
		before := last[p]
		last[p] = k
		switch {
		case before == nil:
		case !k.Restored && k.LogIndex <= before.LogIndex:
			c.add("", k.At, "%s (life %d) applied log index %d at %s, and had been at %d at %s", k.Member, k.Life, k.LogIndex, sec(k.At), before.LogIndex, sec(before.At))
		case k.Restored && k.LogIndex < before.LogIndex && !rebuilt(r, k, before.At):
			c.add("", k.At, "%s (life %d) took over a snapshot of log index %d at %s, though it had been at %d at %s: its state went back",
				k.Member, k.Life, k.LogIndex, sec(k.At), before.LogIndex, sec(before.At))
		}
	}
}

// rebuilt tells whether a member built its raft anew since a time.
func rebuilt(r *Run, k *Commit, since int64) bool {
	voted := false
	for i := range r.Votes {
		v := &r.Votes[i]
		if v.Member != k.Member || v.At > k.At {
			continue
		}
		voted = true
		if v.ReadBack && v.Life == k.Life && v.At >= since {
			return true
		}
	}
	return !voted
}

// checkTerms holds roles against each other: one leader a term, and no
// member's term goes back.
func checkTerms(r *Run, c *collector) {
	leaders, last := map[uint64]*Role{}, map[string]*Role{}
	for i := range r.Roles {
		o := &r.Roles[i]
		if before := last[o.Member]; before != nil && o.Term < before.Term {
			c.add("", o.At, "%s (life %d) was %s in term %d at %s; it had been in term %d (life %d) at %s",
				o.Member, o.Life, o.State, o.Term, sec(o.At), before.Term, before.Life, sec(before.At))
		}
		last[o.Member] = o
		if o.State != "leader" {
			continue
		}
		if other := leaders[o.Term]; other == nil {
			leaders[o.Term] = o
		} else if other.Member != o.Member || other.Life != o.Life {
			c.add("", o.At, "two leaders in term %d: %s (life %d) from %s, and %s (life %d) from %s",
				o.Term, other.Member, other.Life, sec(other.At), o.Member, o.Life, sec(o.At))
		}
	}
}

// checkVotes holds votes against each other and against who stood.
func checkVotes(r *Run, c *collector) {
	type ballot struct {
		member string
		term   uint64
	}
	given, last := map[ballot]*Vote{}, map[string]*Vote{}
	stood := newCandidacies(r)
	for i := range r.Votes {
		v := &r.Votes[i]
		b := ballot{v.Member, v.Term}
		how := "voted"
		if v.ReadBack {
			how = "read back that it had voted"
		}
		if before := given[b]; before != nil && before.Candidate != v.Candidate {
			c.add("", v.At, "%s (life %d) %s for %s in term %d at %s; in its life %d it voted for %s in that term at %s",
				v.Member, v.Life, how, r.member(v.Candidate), v.Term, sec(v.At), before.Life, r.member(before.Candidate), sec(before.At))
		} else if before == nil {
			given[b] = v
		}
		if before := last[v.Member]; before != nil && v.Term < before.Term {
			c.add("", v.At, "%s (life %d) %s for %s in term %d at %s; it had voted for %s in term %d at %s (life %d)",
				v.Member, v.Life, how, r.member(v.Candidate), v.Term, sec(v.At), r.member(before.Candidate), before.Term, sec(before.At), before.Life)
		}
		last[v.Member] = v
		if len(r.Roles) > 0 && !stood[process{r.member(v.Candidate), int(v.Term)}] {
			c.add("", v.At, "%s (life %d) %s for %s in term %d at %s; %s never was a candidate in that term",
				v.Member, v.Life, how, r.member(v.Candidate), v.Term, sec(v.At), r.member(v.Candidate))
		}
	}
}

// candidacies knows who stood in which term: whoever voted for itself, or said
// that it was a candidate or the leader. A member says so before it asks anybody
// for a vote.
type candidacies map[process]bool // by member and, for life, term

func newCandidacies(r *Run) candidacies {
	s := candidacies{}
	for i := range r.Votes {
		if v := &r.Votes[i]; !v.ReadBack && r.member(v.Candidate) == v.Member {
			s[process{v.Member, int(v.Term)}] = true
		}
	}
	for i := range r.Roles {
		if o := &r.Roles[i]; o.State != "follower" {
			s[process{o.Member, int(o.Term)}] = true
		}
	}
	return s
}
