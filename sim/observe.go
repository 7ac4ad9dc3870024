package sim

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/jepsen"
	"holdfast/kernel"
	"holdfast/kernel/replica"
	"holdfast/sim/internal/note"
)

// noted receives a process's note.
func (w *world) noted(p *process, kind note.Kind, b []byte) {
	var err error
	switch kind {
	case note.History:
		w.history = append(w.history, b...)
	case note.Role:
		err = w.notedRole(p, string(b))
	case note.Commit:
		err = w.notedCommit(p, b)
	case note.Vote:
		err = w.notedVote(p, string(b))
	case note.Probe:
		err = w.notedProbe(p, string(b))
	}
	if err != nil {
		w.violate("%s: a note that cannot be read: %v", p.m.name, err)
	}
}

func (w *world) notedRole(p *process, text string) error {
	r := jepsen.Role{Member: p.m.name, Life: p.m.incarnation, At: p.local}
	if _, err := fmt.Sscanf(text, "%s %d", &r.State, &r.Term); err != nil {
		return err
	}
	w.roles = append(w.roles, r)
	w.mixedRole(p, r.State)
	w.timeline.line(p.local, p.m.name, r.State, fmt.Sprintf("term %d", r.Term))
	if p.m.cond.lost == wiped {
		w.violate("%s: its disk was wiped, and yet it takes part again, as %s of term %d", p.m.name, r.State, r.Term)
	}
	switch {
	case r.State == "leader":
		if w.leader != nil && w.leader != p.m {
			w.reached(probeTwoLeaders)
		}
		w.leader = p.m
		w.counts.Leaders++
	case w.leader == p.m:
		w.leader = nil
	}
	return nil
}

func (w *world) notedProbe(p *process, name string) error {
	if !slices.Contains(replica.Probes(), replica.Probe(name)) {
		return fmt.Errorf("probe %.64q: there is none such", name)
	}
	w.reached(name)
	w.timeline.line(p.local, p.m.name, "probe", name)
	return nil
}

func (w *world) notedVote(p *process, text string) error {
	v := jepsen.Vote{Member: p.m.name, Life: p.m.incarnation, At: p.local}
	how := ""
	if _, err := fmt.Sscanf(text, "%d %s %s", &v.Term, &v.Candidate, &how); err != nil {
		return err
	}
	v.ReadBack = how == "read-back"
	w.votes = append(w.votes, v)
	w.mixedVote(p, v.ReadBack)
	return nil
}

func (w *world) notedCommit(p *process, b []byte) error {
	a, err := note.DecodeApplied(b)
	if err != nil {
		return err
	}
	c := jepsen.Commit{
		Member: p.m.name, Life: p.m.incarnation, At: p.local, LogIndex: a.Index, Term: a.Term, Hash: a.Hash,
		StoreIndex: a.StoreIndex, Now: int64(a.Now), Session: a.Session, Restored: a.Restored,
	}
	if c.LogIndex > w.applied {
		w.applied = c.LogIndex
		for _, one := range w.applying {
			one.tell()
		}
	}
	if c.Restored {
		w.timeline.line(p.local, p.m.name, "restored", fmt.Sprintf("log index %d, X-Etcd-Index %d", c.LogIndex, c.StoreIndex))
	}
	for _, e := range a.Events {
		c.Events = append(c.Events, committed(e))
	}
	w.commits = append(w.commits, c)
	w.mixedCommit(p, c.Restored)
	return nil
}

// committed is the kernel's event as histories have it.
func committed(e *kernel.Event) jepsen.Event {
	out := jepsen.Event{Index: uint64(e.Index), Action: e.Action.String(), Refresh: e.Refresh}
	if n := e.Node; n != nil {
		out.Key, out.Dir, out.Value = strings.Clone(n.Path), n.Dir, strings.Clone(n.Value)
		out.CreatedIndex, out.Deadline = uint64(n.Created), int64(n.Deadline)
	}
	if n := e.Prev; n != nil {
		out.PrevIndex, out.PrevValue = uint64(n.Modified), strings.Clone(n.Value)
	}
	return out
}

// violate notes what must never be, whatever the history says.
func (w *world) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.timeline.line(w.now, "all", "violation", text)
	if len(w.violations) < maxViolations {
		w.violations = append(w.violations, text)
	}
}

// maxViolations bounds what is kept of a run that goes wrong all the time.
const maxViolations = 20
