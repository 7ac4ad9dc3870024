package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrWallTime is the cause to cancel a run's context with when its wall time is up; Run then answers VerdictTimeout.
var ErrWallTime = errors.New("wall time is up")

// ErrUntested is wrapped by the error about a run on which nothing was found because no member applied anything: its seed
// says nothing.
var ErrUntested = errors.New("nothing tested")

// Times of a run, in virtual nanoseconds.
const (
	// memberStagger separates the starts of two members.
	memberStagger = 30_000_000
	// clientStart leaves the members time to elect their first leader.
	clientStart = 1_000_000_000
	// readBackAfter is how long after the end of all faults everything is read back: by then the cluster has no excuse.
	readBackAfter = 10_000_000_000
	// finishWithin is how long after the end clients may take to finish and to read every key back through every member.
	finishWithin = 40_000_000_000
)

// Run plays one cluster through one seed: its members and a process of clients, phase one under the faults of its
// schedule, phase two without any. The error is about the options, the module or the host; whatever the cluster did is in
// the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	d := decide(&o)
	rep := &Report{Seed: d.Seed, Module: ModuleHash(o.Module), Plan: d.Plan}
	if d.Mixed() {
		rep.Before = ModuleHash(o.Before)
	}
	o.Seed = d.Seed
	if o.Record {
		rep.Trace = &Trace{}
	}
	if o.UntilStep > 0 && o.Recording == nil {
		o.Recording = &Recording{} // what members said of their logs is told at the end
	}
	t := newTrace(o.HashLog, rep.Trace, o.Against)
	w, err := newWorld(ctx, &o, d.Plan, t)
	if err != nil {
		return nil, err
	}
	w.toys = len(o.memberArgs) > 0
	w.timeline.head()
	s := newScenario(w, d.Faults, o.memberArgs)
	limit := d.Plan.EndNanos + finishWithin
	if len(d.Plan.Workloads) == 0 {
		limit = d.Plan.EndNanos // nobody to wait for
	}
	err = w.run(limit, func() bool {
		w.stopped = o.UntilStep > 0 && t.count >= o.UntilStep
		return w.stopped || t.diverged != nil || len(w.crashes) > 0 || s.client.proc == nil && s.client.incarnation > 0
	})
	if w.stopped {
		w.describe()
	}
	finished := s.client.proc == nil && (s.client.incarnation > 0 || len(d.Plan.Workloads) == 0)
	if closeErr := w.close(); err == nil {
		err = closeErr
	}
	if traceErr := t.close(); err == nil || traceErr != nil {
		err = errors.Join(err, traceErr)
	}
	rep.Hash, rep.Diverged, rep.Counts, rep.VirtualNanos = t.hash, t.diverged, w.counts, w.now
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
	if err := w.judge(rep, finished); err != nil {
		return nil, err
	}
	if d := o.Decisions; d != nil && d.Untouched && o.UntilStep == 0 && d.Module == rep.Module && d.Before == rep.Before && d.Hash != rep.Hash {
		rep.astray(d, o.Commit)
	}
	if o.Log != nil {
		d.Faults, d.Module, d.Before, d.Hash, d.Verdict = s.nemesis.struck, rep.Module, rep.Before, rep.Hash, rep.Verdict
		d.Commit = o.Commit
		return rep, d.Write(o.Log)
	}
	return rep, nil
}

// astray judges a replay of an untouched log that was not the run in the log. Only the simulator that made the log owes the
// same run again.
func (rep *Report) astray(d *Decisions, commit string) {
	if d.madeElsewhere(commit) {
		note := fmt.Sprintf("the log's run had the hash 0x%016x; it was made by commit %s, and this is %s, whose host may behave differently", d.Hash, d.Commit, commit)
		rep.Detail = strings.TrimPrefix(rep.Detail+"\n"+note, "\n")
		return
	}
	rep.Verdict, rep.Fired = VerdictNondeterminism, "replay"
	rep.Detail = fmt.Sprintf("the log's run had the hash 0x%016x, and nothing in it was changed", d.Hash)
}

// decide makes what a run goes by: from its options, or from a log.
func decide(o *Options) Decisions {
	if o.Decisions != nil {
		return *o.Decisions
	}
	d := Decisions{Seed: o.Seed, Plan: Derive(*o)}
	d.Faults = Schedule(*o, &d.Plan)
	return d
}
