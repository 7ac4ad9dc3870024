package story

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/jepsen"
	"holdfast/sim"
)

func hex(n uint64) string { return fmt.Sprintf("0x%x", n) }

// clip cuts a text that is too long for a page.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

func (r *Report) faults(d *data) {
	rec := r.src.Recording
	for _, i := range nearest(len(rec.Faults), MaxPageFaults, func(i int) (int, int64) {
		return 0, r.focus.distance(rec.Faults[i].At, rec.Faults[i].At)
	}) {
		f := &rec.Faults[i]
		if f.Detail == "" {
			continue // nothing could come of it
		}
		text := deed(f)
		if len(f.Hits) == 0 {
			text += "; that moment never came"
		}
		d.Faults = append(d.Faults, fault{
			ID: f.ID, Kind: f.Kind, At: f.At, End: max(ends(f, rec), f.At), Members: d.struckBy(f), Struck: len(f.Hits), Text: clip(text), Index: i,
		})
	}
	d.LeftOut.Faults = max(len(rec.Faults)-MaxPageFaults, 0)
}

// ends is when a fault was over: when it was taken back, when whom it killed was started again, or when its time was up.
func ends(f *sim.Struck, rec *sim.Recording) int64 {
	switch f.Kind {
	case "reset", "clock-step":
		return f.At
	case "disk-error":
		if len(f.Hits) > 0 {
			return f.Hits[0]
		}
	case "kill", "power-cut", "blackout", "aimed-kill", "aimed-cut", "rot", "wipe":
		if len(f.Hits) == 0 {
			return f.At
		}
		for _, a := range rec.Acts {
			if a.What == "restart" && a.Who == f.Member && a.At > f.Hits[0] {
				return a.At
			}
		}
	}
	if f.End != 0 {
		return f.End
	}
	return f.At + f.For
}

// struckBy names whom a fault strikes; nobody means everybody.
func (d *data) struckBy(f *sim.Struck) []int {
	one := []int{d.member(f.Member)}
	switch f.Kind {
	case "split", "ring", "bridge", "blackout":
		return nil
	case "clog", "slow-link", "flaky", "lossy", "reset", "vote-kill":
		return append(one, d.member(f.Other))
	}
	return one
}

// A flight is: from, to, sent, time on its way (-1: it never arrived), kind, what happened to it, bytes, term, index, entries,
// commit index.
const (
	flightAgain = 1 << iota // lost at first, and sent again
	flightHeld              // it arrived later than it should have
	flightOK                // an answer that says yes
)

func (r *Report) messages(d *data) {
	rec := r.src.Recording
	kept := r.focus.messages(rec.Messages)
	d.LeftOut.Messages = len(rec.Messages) - len(kept) + rec.MessagesLeftOut
	for _, i := range kept {
		m := &rec.Messages[i]
		name := string(m.Says.Kind)
		if name == "" {
			name = "continued"
		}
		k := slices.Index(d.Kinds, name)
		if k < 0 {
			k = len(d.Kinds)
			d.Kinds = append(d.Kinds, name)
		}
		flight, what := int64(-1), 0
		if m.Arrived > 0 {
			flight = m.Arrived - m.Sent
		}
		if m.Again {
			what |= flightAgain
		}
		if m.Arrived > m.Due {
			what |= flightHeld
		}
		if m.Says.OK {
			what |= flightOK
		}
		s := &m.Says
		d.Flights = append(d.Flights, [11]int64{
			int64(m.From), int64(m.To), m.Sent, flight, int64(k), int64(what), int64(m.Bytes), int64(s.Term), int64(s.Index),
			int64(s.Entries), int64(s.Commit),
		})
	}
}

func (r *Report) operations(d *data) {
	h, f := r.src.Recording.History, r.focus
	kept := nearest(len(h), MaxPageOperations, func(i int) (int, int64) {
		class := 1
		if f != nil && (slices.Contains(f.ops, i) || concerns(&h[i], f.finding.Key)) {
			class = 0
		}
		return class, f.distance(h[i].Call, h[i].Return)
	})
	d.LeftOut.Operations = len(h) - len(kept)
	t := &teller{src: r.src, focus: f}
	for _, i := range kept {
		o := &h[i]
		d.Ops = append(d.Ops, operation{
			Index: i, Process: o.Process, Kind: string(o.Op), Reads: o.Op.Reads(), Key: clip(o.Key), Call: o.Call, Return: o.Return,
			Outcome: string(o.Outcome), Member: d.member(t.member(o.Member)), Asks: clip(t.asks(o)), Came: clip(t.came(o)),
			At: o.ModifiedIndex, Error: clip(o.Error),
		})
	}
}

// aim says what the page is about.
func (r *Report) aim(d *data) {
	f := r.focus
	if f == nil {
		return
	}
	d.Focus = &aim{Main: f.main, Ops: f.ops, From: f.from, To: f.to, At: f.finding.At, Key: f.finding.Key, Checker: f.finding.Checker}
	if f.explanation != nil {
		d.Order = r.order(f.explanation)
	}
}

// order puts an explanation in words.
func (r *Report) order(e *jepsen.Explanation) *order {
	t := &teller{src: r.src, focus: r.focus}
	o := &order{Key: clip(e.Key), Of: len(e.Ops), Before: max(len(e.Order)-maxOrder, 0)}
	at := int64(0)
	words := func(i int) placed {
		op, h := &e.Ops[i], r.src.Recording.History
		at, log := find(h, op.Process, op.Call), ""
		if at >= 0 { // as its client saw it, and not as the log resolves it
			if h[at].Outcome != op.Outcome {
				log = fmt.Sprintf(" (it did: the committed log has it, with index %d)", op.ModifiedIndex)
			}
			op = &h[at]
		}
		return placed{Index: at, At: op.Call, Text: clip(t.asks(op) + "; " + t.came(op) + log)}
	}
	for n, i := range e.Order {
		at = max(at, e.Ops[i].Call) // the earliest point that the order leaves it
		if n < o.Before {
			continue
		}
		p := words(i)
		p.At, p.State = at, clip(e.States[n])
		o.Placed = append(o.Placed, p)
	}
	for _, n := range e.Next {
		p := words(n.Op)
		p.State = clip(n.Why)
		o.Next = append(o.Next, p)
	}
	return o
}
