package sim

import (
	"fmt"
	"strings"
	"time"

	"holdfast/jepsen"
)

// describe tells where every machine stands, for a run that is stopped at a step: what the host sees of it, and what it has
// said of itself and to others.
func (w *world) describe() {
	for _, m := range w.machines {
		w.tell(m.name, "stands", m.stands())
		if text := m.cond.ails(w.now); text != "" {
			w.tell(m.name, "condition", text)
		}
		if m.endsItself {
			continue // the clients': no member
		}
		if r := w.lastRole(m.name); r != nil {
			w.tell(m.name, "role", fmt.Sprintf("%s of term %d since %s%s", r.State, r.Term, moment(r.At), m.ofAnotherLife(r.Life)))
		}
		if c := w.lastCommit(m.name); c != nil {
			w.tell(m.name, "applied", fmt.Sprintf("log index %d of term %d, X-Etcd-Index %d, history hash %016x, at %s%s",
				c.LogIndex, c.Term, c.StoreIndex, c.Hash, moment(c.At), m.ofAnotherLife(c.Life)))
		}
		if h := w.recording.heardOf(m.index); h.At > 0 {
			w.tell(m.name, "log", fmt.Sprintf("commit index %d, last index %d, term %d, as told and heard by %s", h.Commit, h.LastLog, h.Term, moment(h.At)))
		}
		if v := w.lastVote(m.name); v != nil {
			w.tell(m.name, "vote", fmt.Sprintf("for %s in term %d, at %s%s", w.nameOf(v.Candidate), v.Term, moment(v.At), m.ofAnotherLife(v.Life)))
		}
		for _, line := range w.net.ails(m) {
			w.tell(m.name, "link", line)
		}
	}
}

func moment(nanos int64) string { return fmt.Sprintf("%.6f s", float64(nanos)/1e9) }

// stands tells of the process, its clock and its sockets.
func (m *machine) stands() string {
	if m.proc == nil {
		text := fmt.Sprintf("down, after incarnation %d", m.incarnation)
		if until := m.cond.downUntil; until > m.w.now && until < 1<<62 {
			text += ", until " + moment(until)
		}
		return text
	}
	p, is, unread := m.proc, [dead + 1]int{}, 0
	for _, s := range p.sockets.byID {
		if s != nil {
			is[s.state]++
			unread += len(s.inbox)
		}
	}
	return fmt.Sprintf("incarnation %d, own time %.9f s, wall clock %v off, %d sockets: %d listening, %d connecting, %d established, %d broken; %d bytes unread",
		m.incarnation, float64(p.local)/1e9, time.Duration(m.clock.wall(p.local)-epochNanos-p.local).Round(time.Microsecond),
		p.sockets.open, is[listening], is[connecting], is[established], is[dead], unread)
}

// ofAnotherLife marks what an earlier process said.
func (m *machine) ofAnotherLife(life int) string {
	if m.proc != nil && life == m.incarnation {
		return ""
	}
	return fmt.Sprintf(", in incarnation %d", life)
}

// ails tells what the nemesis has done to a machine that still holds; empty: nothing.
func (c *health) ails(now int64) string {
	var parts []string
	add := func(holds bool, format string, args ...any) {
		if holds {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(c.dark, "without power")
	add(c.lost != "", "lost: %s", c.lost)
	add(c.pausedUntil > now, "paused until %s", moment(c.pausedUntil))
	add(c.lagNanos > 0, "each turn %v late", time.Duration(c.lagNanos))
	add(c.syncFactor > 0, "fsync takes %d times longer", c.syncFactor)
	add(c.hungUntil > now, "its disk hangs until %s", moment(c.hungUntil))
	add(c.failing, "disk operation %d from now fails", c.failAfter)
	add(c.full, "its disk is full")
	if a := c.aim; a != nil {
		add(true, "dies %d host calls after it works on %s", a.calls, a.path)
	}
	add(c.excuse != "" && c.excuseUntil >= now, "excused until %s: %s", moment(c.excuseUntil), c.excuse)
	return strings.Join(parts, "; ")
}

// ails tells what is wrong with the links from a machine.
func (n *network) ails(m *machine) []string {
	var out []string
	for _, to := range n.w.machines {
		c := n.conditions[m.index][to.index]
		var parts []string
		add := func(holds bool, text string) {
			if holds {
				parts = append(parts, text)
			}
		}
		add(c.Cut, "cut")
		add(c.Clogged, "clogged")
		add(c.slow(), "slow")
		add(c.LossPerMille > 0, "lossy")
		add(c.BreakPerMillion > 0, "flaky")
		if len(parts) > 0 {
			out = append(out, fmt.Sprintf("to %s: %s", to.name, strings.Join(parts, ", ")))
		}
	}
	return out
}

// lastRole, lastCommit and lastVote are the last that a member noted; nil: none.
func (w *world) lastRole(name string) *jepsen.Role {
	for i := len(w.roles) - 1; i >= 0; i-- {
		if w.roles[i].Member == name {
			return &w.roles[i]
		}
	}
	return nil
}

func (w *world) lastCommit(name string) *jepsen.Commit {
	for i := len(w.commits) - 1; i >= 0; i-- {
		if w.commits[i].Member == name {
			return &w.commits[i]
		}
	}
	return nil
}

func (w *world) lastVote(name string) *jepsen.Vote {
	for i := len(w.votes) - 1; i >= 0; i-- {
		if w.votes[i].Member == name {
			return &w.votes[i]
		}
	}
	return nil
}

// nameOf is the member of a peer address.
func (w *world) nameOf(addr string) string {
	for _, m := range w.machines {
		if peerAddr(m) == addr {
			return m.name
		}
	}
	return addr
}

// heardOf is what is known of a member's log.
func (r *Recording) heardOf(member int) heard {
	if r == nil || member >= len(r.heard) {
		return heard{}
	}
	return r.heard[member]
}
