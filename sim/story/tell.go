package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/jepsen"
	"holdfast/sim"
)

// Story is a run in plain English.
type Story struct {
	Title string   // what it was and came to, in a sentence
	Facts []string // what is needed to play it again, and how much happened
	Lines []Line   // in the order of time
	// Finding is what the verdict rests on, in sentences; empty of a green run.
	Finding []string
	// Checked says what else was looked at, or, of a green run, what its verdict rests on.
	Checked string
}

// Line is one thing that happened.
type Line struct {
	At   int64  `json:"at"`   // virtual nanoseconds
	Kind string `json:"kind"` // leader, fault, process, snapshot, operation, note
	Text string `json:"text"`
	// Op is the operation that it is about, as an index of the history, and Fault the fault, as one of the recording; -1: none.
	Op    int `json:"op"`
	Fault int `json:"fault"`
}

// Limits of a story of a red run.
const (
	maxKeyOps  = 8               // operations on the finding's key, besides those that it tells of
	maxChanges = 24              // lines about members; if there are more, those before lookBack are left out
	lookBack   = 5 * time.Second // how long before the finding's first operation
)

// teller gathers the lines of a story.
type teller struct {
	src   *Source
	focus *focus
	lines []Line
}

// Tell makes the story of a run.
func Tell(src *Source) *Story { return tell(src, focusOn(src)) }

func tell(src *Source, f *focus) *Story {
	t := &teller{src: src, focus: f}
	s := &Story{Title: t.title(), Facts: t.facts(), Checked: checked(src.Report)}
	t.leaders()
	t.faults()
	t.acts()
	t.snapshots()
	t.order()
	if f != nil {
		t.cutToFocus()
		t.operations()
		s.Finding = t.finding()
	}
	t.order()
	s.Lines = t.lines
	return s
}

func (t *teller) order() {
	slices.SortStableFunc(t.lines, func(a, b Line) int { return cmp.Compare(a.At, b.At) })
}

func (t *teller) add(at int64, kind, format string, args ...any) *Line {
	t.lines = append(t.lines, Line{At: at, Kind: kind, Text: fmt.Sprintf(format, args...), Op: -1, Fault: -1})
	return &t.lines[len(t.lines)-1]
}

// member names whom an operation asked.
func (t *teller) member(url string) string {
	if r := t.src.Recording.Run; r != nil && r.Addrs[url] != "" {
		return r.Addrs[url]
	}
	return url
}

func (t *teller) title() string {
	rep := t.src.Report
	outcome := "green: nothing wrong was found"
	switch {
	case rep.Verdict == sim.VerdictOK:
	case rep.Fired != "":
		outcome = fmt.Sprintf("red: %s, found by %s", rep.Verdict, rep.Fired)
	default:
		outcome = "red: " + string(rep.Verdict)
	}
	return fmt.Sprintf("%d members, %s of work, %s — %s.", rep.Plan.Nodes, after(rep.Plan.EndNanos), count(faultsStruck(t.src.Recording), "fault"), outcome)
}

func (t *teller) facts() []string {
	rep := t.src.Report
	work := make([]string, 0, len(rep.Plan.Workloads))
	for _, w := range rep.Plan.Workloads {
		work = append(work, fmt.Sprintf("%s×%d", w.Name, w.Clients))
	}
	facts := []string{
		fmt.Sprintf("seed 0x%x, module %s, hash 0x%016x", rep.Seed, rep.Module, rep.Hash),
		fmt.Sprintf("clients: %s; operations: %d ok, %d failed, %d unknown; leader changes: %d; snapshots installed: %d",
			strings.Join(work, ", "), rep.OK, rep.Failed, rep.Unknown, rep.Stats.LeaderChanges, rep.Stats.Installs),
	}
	if rep.Before != "" {
		facts = append(facts, fmt.Sprintf("upgraded from an earlier version, module %s: %s", rep.Before, rep.Plan.Upgraded()))
	}
	return facts
}

// count is a number with its noun.
func count(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// faultsStruck counts the faults as the report does.
func faultsStruck(rec *sim.Recording) (n int) {
	for i := range rec.Faults {
		n += len(rec.Faults[i].Hits)
	}
	return n
}

func checked(rep *sim.Report) string {
	parts := make([]string, 0, len(rep.Checks))
	for _, c := range rep.Checks {
		parts = append(parts, fmt.Sprintf("%s %s (%d)", c.Checker, c.Verdict, c.Operations))
	}
	return strings.Join(parts, ", ")
}

// leaders tells who leads, and who stops to.
func (t *teller) leaders() {
	if t.src.Recording.Run == nil {
		return
	}
	leads := map[string]jepsen.Role{} // by member; read by key only
	for _, r := range t.src.Recording.Run.Roles {
		switch {
		case r.State == "leader":
			t.add(r.At, "leader", "%s leads term %d.", r.Member, r.Term)
			leads[r.Member] = r
		case leads[r.Member].Life == r.Life: // who has died in between is told of as dead
			t.add(r.At, "leader", "%s no longer leads term %d: it is a %s of term %d now.", r.Member, leads[r.Member].Term, r.State, r.Term)
			delete(leads, r.Member)
		}
	}
}

func (t *teller) faults() {
	for i := range t.src.Recording.Faults {
		f := &t.src.Recording.Faults[i]
		if f.Detail == "" {
			continue
		}
		text := deed(f)
		if f.For > 0 && f.Kind != "clock-step" {
			text += ", for " + after(f.For)
		}
		if len(f.Hits) == 0 {
			text += "; that moment never comes"
		}
		t.add(f.At, "fault", "%s (%s).", text, named(f)).Fault = i
		if f.End > f.At {
			t.add(f.End, "fault", "%s ends.", named(f)).Fault = i
		}
	}
}

// acts tells of processes and disks.
func (t *teller) acts() {
	acts := t.src.Recording.Acts
	for i, a := range acts {
		switch a.What {
		case "killed":
			dark := slices.ContainsFunc(acts[i:min(i+4, len(acts))], func(b sim.Act) bool { return b.What == "dark" && b.Who == a.Who && b.At == a.At }) ||
				slices.ContainsFunc(acts[max(i-4, 0):i], func(b sim.Act) bool { return b.What == "dark" && b.Who == a.Who && a.At-b.At < int64(time.Millisecond) })
			if !dark {
				t.add(a.At, "process", "%s is killed.", a.Who)
			}
		case "dark":
			t.add(a.At, "process", "%s loses its power (%s).", a.Who, a.Detail)
		case "upgrade":
			t.add(a.At, "process", "%s is upgraded: %s.", a.Who, a.Detail)
		case "restart":
			t.add(a.At, "process", "%s starts again (%s).", a.Who, a.Detail)
		case "rot":
			if strings.HasPrefix(a.Detail, "{") { // else it is the fault itself, which is told of as one
				t.add(a.At, "process", "bits flip on %s's disk: %s.", a.Who, strings.Trim(a.Detail, "{}"))
			}
		case "EIO":
			t.add(a.At, "process", "%s's %s fails.", a.Who, a.Detail)
		case "exit":
			if slices.Contains(t.src.Recording.Members, a.Who) {
				t.add(a.At, "process", "%s ends by itself: %s.", a.Who, a.Detail)
			}
		case "excused":
			t.add(a.At, "process", "%s is excused, %s.", a.Who, a.Detail)
		case "violation":
			t.add(a.At, "note", "The simulator objects: %s.", a.Detail)
		case "calm":
			t.add(a.At, "note", "All is healed: no faults from here on.")
		}
	}
}

// snapshots tells of states that members took over from their leaders.
func (t *teller) snapshots() {
	run := t.src.Recording.Run
	if run == nil {
		return
	}
	type life struct {
		member string
		n      int
	}
	begun := map[life]int64{} // first role, by life; read by key only
	for _, r := range run.Roles {
		if at := (life{r.Member, r.Life}); begun[at] == 0 {
			begun[at] = r.At
		}
	}
	for i := range run.Commits {
		c := &run.Commits[i]
		if at := begun[life{c.Member, c.Life}]; c.Restored && at > 0 && c.At > at {
			t.add(c.At, "snapshot", "%s takes over a snapshot: log index %d, X-Etcd-Index %d.", c.Member, c.LogIndex, c.StoreIndex)
		}
	}
}

// cutToFocus leaves out what comes after the finding and, if there is too much, what lies long before it.
func (t *teller) cutToFocus() {
	f := t.focus
	t.lines = slices.DeleteFunc(t.lines, func(l Line) bool { return l.At > f.to })
	if len(t.lines) <= maxChanges {
		return
	}
	from := f.from - int64(lookBack)
	n := 0
	for n < len(t.lines) && (t.lines[n].At < from || len(t.lines)-n > 2*maxChanges) {
		n++
	}
	if n == 0 {
		return
	}
	var kept []Line
	lead := -1 // the last line about a leader before: somebody has to lead when the story begins
	for i, l := range t.lines[:n] {
		if l.Kind == "leader" {
			lead = i
		}
	}
	if lead >= 0 {
		kept, n = append(kept, t.lines[lead]), n-1
	}
	kept = append(kept, Line{At: max(from, 0), Kind: "note", Op: -1, Fault: -1, Text: fmt.Sprintf("(%s of the time before left out here)", count(n, "line"))})
	if lead >= 0 {
		n++
	}
	t.lines = append(kept, t.lines[n:]...)
}

// operations tells what the finding is about, and the last operations on its key before.
func (t *teller) operations() {
	f, h := t.focus, t.src.Recording.History
	var before []int
	for i := range h {
		if concerns(&h[i], f.finding.Key) && h[i].Call <= f.to && !slices.Contains(f.ops, i) && telling(&h[i]) {
			before = append(before, i)
		}
	}
	slices.SortStableFunc(before, func(a, b int) int { return cmp.Compare(h[a].Call, h[b].Call) })
	before = before[max(len(before)-maxKeyOps, 0):]
	for _, i := range append(before, f.ops...) {
		t.add(h[i].Call, "operation", "%s; %s.", t.asks(&h[i]), t.came(&h[i])).Op = i
	}
}

// telling tells whether an operation says anything about the state.
func telling(o *jepsen.Operation) bool {
	return o.Outcome == jepsen.OK && o.Op != jepsen.Watch && o.Op != jepsen.Stream || o.Outcome == jepsen.Unknown && !o.Op.Reads()
}
