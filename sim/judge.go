package sim

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"holdfast/jepsen"
)

// progressWithin is the virtual time after the end of all faults in which the cluster must have confirmed a write.
const progressWithin = 15 * time.Second

// checkLimit bounds the checkers that search, in real time.
const checkLimit = 4 * time.Second

// judge turns what happened into a verdict; the gravest comes first.
func (w *world) judge(rep *Report, finished bool) error {
	history, err := jepsen.ReadHistory(bytes.NewReader(w.history))
	if err != nil {
		return fmt.Errorf("read the clients' history: %w", err)
	}
	rep.count(history)
	w.recording.history(history)
	if rep.Diverged != nil {
		rep.Verdict, rep.Detail = VerdictNondeterminism, "first difference: "+rep.Diverged.String()
		return nil
	}
	run := w.evidence(history, finished)
	w.recording.evidence(run)
	rep.Stats = w.stats(run)
	w.lookBack(run, &rep.Stats)
	rep.Probes = w.probes
	rep.Checks = check(run)
	red, late := jepsen.Result{}, []string(nil)
	for _, c := range rep.Checks {
		switch {
		case c.Verdict == jepsen.Illegal && red.Checker == "":
			red = c
		case c.Verdict == jepsen.Timeout:
			late = append(late, c.Checker)
		}
	}
	rep.CheckTimeouts = len(late)
	stuck := w.progress(history, finished)
	switch {
	case len(w.violations) > 0:
		rep.Verdict, rep.Fired, rep.Detail = VerdictSafety, "host", strings.Join(w.violations, "\n")
	case red.Checker != "" && red.Checker != serviceChecker:
		rep.Verdict, rep.Fired, rep.Detail = VerdictSafety, red.Checker, findings(red)
	case len(w.crashes) > 0:
		rep.Verdict, rep.Fired, rep.Detail = VerdictCrash, "crash", strings.Join(w.crashes, "\n")
	case red.Checker != "":
		rep.Verdict, rep.Fired, rep.Detail = VerdictLiveness, red.Checker, findings(red)
	case w.stopped:
		rep.Verdict, rep.Detail = VerdictOK, fmt.Sprintf("stopped at step %d; nothing is wrong so far", w.trace.count)
	case stuck != "":
		rep.Verdict, rep.Fired, rep.Detail = VerdictLiveness, "progress", stuck
	case len(late) > 0:
		rep.Verdict, rep.Fired = VerdictTimeout, FiredLimit
		rep.Detail = fmt.Sprintf("no verdict in time by: %s; choose a shorter duration", strings.Join(late, ", "))
	case len(w.commits) == 0 && !w.toys:
		return fmt.Errorf("%w: no member applied anything; choose another module", ErrUntested)
	default:
		rep.Verdict, rep.Detail = VerdictOK, checked(rep.Checks)
	}
	return nil
}

// serviceChecker comes last. It finds no wrong answers, but none: which a crash explains.
const serviceChecker = "service"

// check asks every checker. Without a committed log (toys have none) only those are asked that need none.
func check(run *jepsen.Run) []jepsen.Result {
	var out []jepsen.Result
	for _, c := range jepsen.Checkers() {
		if len(run.Commits) == 0 && c.Name != "linearizable" && c.Name != "local-reads" {
			continue
		}
		out = append(out, c.Check(run, jepsen.Limits{Total: checkLimit, PerKey: checkLimit / 2, KeyOperations: 200}))
	}
	return out
}

// evidence is all that the checkers go by.
func (w *world) evidence(history jepsen.History, finished bool) *jepsen.Run {
	absent := map[string]bool{} // read by key only
	for _, m := range w.machines {
		absent[m.name] = m.cond.lost != ""
	}
	run := &jepsen.Run{
		History: accountable(history, finished), Commits: w.commits, Roles: w.roles, Votes: w.votes,
		Ring: w.plan.Knobs.HistoryEvents, Rho: float64(rhoPPM) / 1e6, Tick: w.plan.Knobs.Tick,
		CalmAt: w.plan.CalmAtNanos, End: w.now, Stalls: w.stalls, Absent: absent, Addrs: map[string]string{}, Whole: finished,
	}
	for _, m := range w.machines {
		run.Addrs[clientURL(m)], run.Addrs[peerAddr(m)] = m.name, m.name
	}
	return run
}

// accountable is what of the clients' history can be held against the cluster. Clients note an operation when it has
// ended, so a run that was broken off leaves out what was under way: one operation a client, begun after the last one
// noted. Up to the earliest of these moments the history is whole. Of an operation that spans it only that it may have
// happened is kept.
func accountable(history jepsen.History, finished bool) jepsen.History {
	if finished || len(history) == 0 {
		return history
	}
	last := map[int]int64{} // read by key, and for its least value
	for i := range history {
		o := &history[i]
		last[o.Process] = max(last[o.Process], o.Return)
	}
	until := history[0].Return
	for _, at := range last {
		until = min(until, at)
	}
	var out jepsen.History
	for _, o := range history {
		switch {
		case o.Return <= until:
			out = append(out, o)
		case o.Call <= until && !o.Op.Reads() && o.Outcome != jepsen.Fail:
			out = append(out, jepsen.Operation{
				Process: o.Process, Call: o.Call, Return: o.Return, Op: o.Op, Key: o.Key, Arg: o.Arg, Prev: o.Prev,
				PrevIndex: o.PrevIndex, TTL: o.TTL, Outcome: jepsen.Unknown, Member: o.Member,
			})
		}
	}
	return out
}

const maxShownFindings = 5

func findings(r jepsen.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "checker %s:", r.Checker)
	for i, f := range r.Findings {
		if i == maxShownFindings {
			fmt.Fprintf(&b, "\n  and %d more", len(r.Findings)-i)
			break
		}
		fmt.Fprintf(&b, "\n  %.6f s", float64(f.At)/1e9)
		if f.Key != "" {
			fmt.Fprintf(&b, " %s", f.Key)
		}
		fmt.Fprintf(&b, ": %s", f.Detail)
	}
	return b.String()
}

func checked(list []jepsen.Result) string {
	parts := make([]string, 0, len(list))
	for _, c := range list {
		parts = append(parts, fmt.Sprintf("%s %d", c.Checker, c.Operations))
	}
	return "checked: " + strings.Join(parts, ", ")
}

// progress tells what the clients lack: a confirmed write in the stated time after the last fault, if they wrote at all then,
// and everything read back through each member that is whole. Empty: nothing.
func (w *world) progress(history jepsen.History, finished bool) string {
	if !finished && len(w.crashes) == 0 {
		return fmt.Sprintf("clients did not finish within %v of the end", time.Duration(finishWithin))
	}
	if len(w.plan.Workloads) == 0 {
		return ""
	}
	if w.plan.EndNanos > w.plan.CalmAtNanos {
		if lack := w.lackOfWrites(history); lack != "" {
			return lack
		}
	}
	return w.lackOfReads(history)
}

// lackOfWrites tells whether the first confirmed write came too late, or not at all.
func (w *world) lackOfWrites(history jepsen.History) string {
	wrote := int64(-1)
	for i := range history {
		o := &history[i]
		if o.Outcome == jepsen.OK && o.Call >= w.plan.CalmAtNanos && !o.Op.Reads() && (wrote < 0 || o.Return < wrote) {
			wrote = o.Return
		}
	}
	calm := time.Duration(w.plan.CalmAtNanos)
	if wrote < 0 {
		return fmt.Sprintf("no write was confirmed after %v, when all was healed", calm)
	}
	if took := time.Duration(wrote) - calm; took > progressWithin {
		return fmt.Sprintf("the first write after %v, when all was healed, was confirmed only %v later; expect %v at most", calm, took, progressWithin)
	}
	return ""
}

// lackOfReads tells what could not be read back. Whoever reads back asks each member for everything in turn, again and
// again until it has an answer or, well after the faults, no more patience: one read that never succeeded is enough. What it
// writes before that somebody has to confirm.
func (w *world) lackOfReads(history jepsen.History) string {
	type read struct {
		op          jepsen.Kind
		key, member string
	}
	reader, confirmed := 0, map[read]bool{} // read by key only
	tried, wrote := "", false
	for _, work := range w.plan.Workloads {
		reader += work.Clients
	}
	asked := []read{{jepsen.Watch, "/", ""}}
	for _, work := range w.plan.Workloads {
		asked = append(asked, read{jepsen.List, "/" + work.Name, ""})
	}
	for i := range history {
		o := &history[i]
		if o.Process != reader {
			continue
		}
		if !o.Op.Reads() {
			tried, wrote = o.Key, wrote || o.Outcome == jepsen.OK
			continue
		}
		if r := (read{o.Op, o.Key, ""}); !slices.Contains(asked, r) {
			asked = append(asked, r)
		}
		if ok := o.Outcome == jepsen.OK; ok && o.Op != jepsen.Watch || o.Op == jepsen.Watch && o.EtcdIndex != 0 { // of a watch the head counts
			confirmed[read{o.Op, o.Key, o.Member}] = true
		}
	}
	calm := time.Duration(w.plan.CalmAtNanos)
	if tried != "" && !wrote {
		return fmt.Sprintf("the last write, of %s, was confirmed by nobody, long after %v, when all was healed", tried, calm)
	}
	for _, m := range w.machines {
		if m.endsItself || m.cond.lost != "" {
			continue
		}
		for _, r := range asked {
			if r.member = clientURL(m); !confirmed[r] {
				return fmt.Sprintf("the %s of %s was not confirmed by %s after %v, when all was healed", r.op, r.key, m.name, calm)
			}
		}
	}
	return ""
}

// count counts the operations, by outcome and by client.
func (rep *Report) count(history jepsen.History) {
	clients := 1
	for _, w := range rep.Plan.Workloads {
		clients += w.Clients
	}
	rep.Operations = make([]int, clients)
	for _, s := range rep.Plan.Skips {
		if s.Client < clients {
			rep.Operations[s.Client] += s.To - s.From
		}
	}
	for i := range history {
		if p := history[i].Process; p < clients {
			rep.Operations[p]++
		}
		switch history[i].Outcome {
		case jepsen.OK:
			rep.OK++
		case jepsen.Fail:
			rep.Failed++
		default:
			rep.Unknown++
		}
	}
}

// Stats tells which rare things happened in a run.
type Stats struct {
	LeaderChanges  int `json:"leader_changes"`   // terms with a leader, after the first
	Installs       int `json:"installs"`         // snapshots that a member took from its leader
	LossyPowerCuts int `json:"lossy_power_cuts"` // power cuts that took unsynced bytes or names away
	WrappedWatches int `json:"wrapped_watches"`  // watches under which the ring wrapped, or that met 401
	LateExpiries   int `json:"late_expiries"`    // keys that expired in another clock session than they were set in
	Expiries       int `json:"expiries"`
}

func (w *world) stats(run *jepsen.Run) Stats {
	s := Stats{LossyPowerCuts: w.counts.LossyPowerCuts}
	terms := map[uint64]bool{} // counted only
	for _, r := range run.Roles {
		if r.State == "leader" {
			terms[r.Term] = true
		}
	}
	s.LeaderChanges = max(len(terms)-1, 0)
	s.countCommits(run)
	s.countWatches(run)
	return s
}

// countCommits counts installs and expiries. A process reports its first role when its own snapshot has been restored: a
// state that it takes over later came from a leader, or stands in for one that did.
func (s *Stats) countCommits(run *jepsen.Run) {
	type life struct {
		member string
		n      int
	}
	begun := map[life]int64{} // read by key only
	for _, r := range run.Roles {
		if at := (life{r.Member, r.Life}); begun[at] == 0 {
			begun[at] = r.At
		}
	}
	set := map[string]uint64{} // key: session in which it was last set
	seen := uint64(0)
	for _, c := range run.Commits {
		if c.Restored && c.At > begun[life{c.Member, c.Life}] && begun[life{c.Member, c.Life}] > 0 {
			s.Installs++
		}
		for i := range c.Events {
			e := &c.Events[i]
			if e.Index <= seen {
				continue
			}
			seen = e.Index
			switch {
			case e.Action == "expire":
				s.Expiries++
				if set[e.Key] != 0 && set[e.Key] != c.Session {
					s.LateExpiries++
				}
			case e.Deadline != 0:
				set[e.Key] = c.Session
			}
		}
	}
}

func (s *Stats) countWatches(run *jepsen.Run) {
	applied := map[string][]*jepsen.Commit{} // by the member; read by key only
	for i := range run.Commits {
		c := &run.Commits[i]
		applied[c.Member] = append(applied[c.Member], c)
	}
	for i := range run.History {
		o := &run.History[i]
		if o.Op != jepsen.Watch && o.Op != jepsen.Stream {
			continue
		}
		member := run.Addrs[o.Member]
		at := func(t int64) uint64 {
			n := sort.Search(len(applied[member]), func(i int) bool { return applied[member][i].At > t })
			if n == 0 {
				return 0
			}
			return applied[member][n-1].StoreIndex
		}
		if o.ErrorCode == 401 || run.Ring > 0 && at(o.Return) >= at(o.Call)+uint64(run.Ring) {
			s.WrappedWatches++
		}
	}
}
