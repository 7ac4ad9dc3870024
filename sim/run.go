package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/jepsen"
)

// ErrWallTime is the cause to cancel a run's context with when its wall time is up; Run then answers VerdictTimeout.
var ErrWallTime = errors.New("wall time is up")

// ErrUntested is wrapped by the error about a run that found no fault with the cluster, but whose own faults did not all take
// place: its seed says nothing.
var ErrUntested = errors.New("nothing tested")

// Times of a run, in virtual nanoseconds but for checkLimit.
const (
	// memberStagger separates the starts of two members.
	memberStagger = 30_000_000
	// clientStart leaves the members time to elect their first leader.
	clientStart = 1_000_000_000
	// finishWithin is how long after the end clients may take to finish and to read every key back through every member.
	finishWithin = 20_000_000_000
	// checkLimit bounds the checker, in real time per key.
	checkLimit = 30 * time.Second
)

// Run plays one cluster through one seed: its members and a process of clients, phase one with a partition and a kill,
// phase two without faults. The error is about the options, the module or the host; whatever the cluster did is in the
// report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	rep := &Report{Seed: o.Seed, Module: ModuleHash(o.Module), Plan: Derive(o)}
	if o.Record {
		rep.Trace = &Trace{}
	}
	t := newTrace(o.HashLog, rep.Trace, o.Against)
	w, err := newWorld(ctx, &o, rep.Plan, t)
	if err != nil {
		return nil, err
	}
	w.timeline.head()
	s := newScenario(w, o.Nodes, o.memberArgs)
	err = w.run(rep.Plan.EndNanos+finishWithin, func() bool {
		return t.diverged != nil || len(w.crashes) > 0 || s.client.proc == nil && s.client.incarnation > 0
	})
	finished := s.client.proc == nil
	if closeErr := w.close(); err == nil {
		err = closeErr
	}
	if traceErr := t.close(); err == nil || traceErr != nil {
		err = errors.Join(err, traceErr)
	}
	rep.Hash, rep.Diverged, rep.Counts = t.hash, t.diverged, w.counts
	rep.Counts.Steps = t.count
	if errors.Is(err, ErrWallTime) {
		rep.Verdict, rep.Detail = VerdictTimeout, fmt.Sprintf("virtual time stood at %v", time.Duration(w.now))
		return rep, nil
	}
	if err = errors.Join(err, w.timeline.err); err != nil {
		return nil, err
	}
	if o.History != nil {
		if _, err := o.History.Write(w.history); err != nil {
			return nil, fmt.Errorf("write history: %w", err)
		}
	}
	return rep, w.judge(rep, finished)
}

// judge turns what happened into a verdict; the gravest comes first.
func (w *world) judge(rep *Report, finished bool) error {
	history, err := jepsen.ReadHistory(bytes.NewReader(w.history))
	if err != nil {
		return fmt.Errorf("read the clients' history: %w", err)
	}
	for i := range history {
		switch history[i].Outcome {
		case jepsen.OK:
			rep.OK++
		case jepsen.Fail:
			rep.Failed++
		default:
			rep.Unknown++
		}
	}
	if rep.Diverged != nil {
		rep.Verdict, rep.Detail = VerdictNondeterminism, "first difference: "+rep.Diverged.String()
		return nil
	}
	check, err := jepsen.CheckRegister(accountable(history, w.plan.Clients), checkLimit)
	if err != nil {
		return err
	}
	stuck := w.progress(history, finished)
	switch {
	case check.Verdict == jepsen.Illegal:
		rep.Verdict, rep.Detail = VerdictSafety, fmt.Sprintf("key %s: %s", check.Key, check.Detail)
	case len(w.crashes) > 0:
		rep.Verdict, rep.Detail = VerdictCrash, strings.Join(w.crashes, "\n")
	case stuck != "":
		rep.Verdict, rep.Detail = VerdictLiveness, stuck
	case check.Verdict == jepsen.Timeout:
		rep.Verdict, rep.Detail = VerdictTimeout, check.Detail
	case w.counts.Kills == 0 || w.counts.HeldUp == 0:
		return fmt.Errorf("%w: %d processes killed, %d streams held up by the partition; choose a longer duration or another module",
			ErrUntested, w.counts.Kills, w.counts.HeldUp)
	default:
		rep.Verdict = VerdictOK
		rep.Detail = fmt.Sprintf("%d operations on %d keys are linearizable", check.Operations, check.Keys)
	}
	return nil
}

// accountable is what of the clients' history can be held against the cluster. Clients note an operation when it has ended, so
// a run that was broken off leaves out what was under way: one operation a client, begun after the last one noted. Up to
// the earliest of these moments the history is whole. Of an operation that spans it only that it may have happened is kept.
// Who reads back (the client after the last) begins when the others have finished: then nothing is left out.
func accountable(history jepsen.History, clients int) jepsen.History {
	last := make([]int64, clients)
	for i := range history {
		o := &history[i]
		if o.Process >= clients {
			return history
		}
		last[o.Process] = max(last[o.Process], o.Return)
	}
	until := slices.Min(last)
	var out jepsen.History
	for _, o := range history {
		change := o.Op == jepsen.Write || o.Op == jepsen.CAS || o.Op == jepsen.Delete
		switch {
		case o.Return <= until:
			out = append(out, o)
		case o.Call <= until && change && o.Outcome != jepsen.Fail:
			out = append(out, jepsen.Operation{
				Process: o.Process, Call: o.Call, Return: o.Return, Op: o.Op, Key: o.Key, Arg: o.Arg, Prev: o.Prev,
				Outcome: jepsen.Unknown, Member: o.Member,
			})
		}
	}
	return out
}

// progress tells what the clients lack: a confirmed write in phase one, where a quorum is always able to talk, another in
// phase two, and there a confirmed read through each member. Empty: nothing.
func (w *world) progress(history jepsen.History, finished bool) string {
	if !finished && len(w.crashes) == 0 {
		return fmt.Sprintf("clients did not finish within %v of the end", time.Duration(finishWithin))
	}
	wroteBefore, wrote, read := false, false, map[string]bool{} // by endpoint; read by key only
	for i := range history {
		o := &history[i]
		changed, calm := o.Op == jepsen.Write || o.Op == jepsen.CAS, o.Call >= w.plan.CalmAtNanos
		switch {
		case o.Outcome != jepsen.OK:
		case changed && calm:
			wrote = true
		case changed:
			wroteBefore = true
		case calm && o.Op == jepsen.Read:
			read[o.Member] = true
		}
	}
	if !wroteBefore {
		return fmt.Sprintf("no write was confirmed before %v, though a quorum was always able to talk", time.Duration(w.plan.CalmAtNanos))
	}
	if !wrote {
		return fmt.Sprintf("no write was confirmed after %v, when all was healed", time.Duration(w.plan.CalmAtNanos))
	}
	for _, m := range w.machines {
		if url := clientURL(m); !m.endsItself && !read[url] {
			return fmt.Sprintf("no quorum read was confirmed by %s after %v, when all was healed", m.name, time.Duration(w.plan.CalmAtNanos))
		}
	}
	return ""
}
