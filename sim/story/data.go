package story

import (
	"slices"

	"holdfast/jepsen"
	"holdfast/sim"
)

// data is what a page holds, for its script. Times are virtual nanoseconds; members are indices.
type data struct {
	Title   string   `json:"title"`
	Facts   []string `json:"facts"`
	Log     string   `json:"log"`
	Commit  string   `json:"commit"`
	Seed    string   `json:"seed"`
	Module  string   `json:"module"`
	Hash    string   `json:"hash"`
	Verdict string   `json:"verdict"`
	Fired   string   `json:"fired"`
	Plan    []string `json:"plan"`

	Members []string `json:"members"`
	Clients []client `json:"clients"`
	Until   int64    `json:"until"` // how far the run came
	Calm    int64    `json:"calm"`
	Count   counts   `json:"count"`
	LeftOut leftOut  `json:"left_out"`

	Lines   []Line   `json:"lines"`
	Finding []string `json:"finding"`
	Promise string   `json:"promise"` // one of Finding: what the checker holds runs against
	Checks  []check  `json:"checks"`

	Roles   []role      `json:"roles"`
	Lives   []span      `json:"lives"`
	Applied [][]step    `json:"applied"` // by member
	Commits [][]step    `json:"commits"` // by member
	Faults  []fault     `json:"faults"`
	Kinds   []string    `json:"kinds"` // of messages
	Flights [][11]int64 `json:"flights"`
	Ops     []operation `json:"ops"`
	Focus   *aim        `json:"focus"`
	Order   *order      `json:"order"`
}

type client struct {
	Process int    `json:"p"`
	Does    string `json:"does"`
}

// counts are those of the report, beside which a test holds what is drawn.
type counts struct {
	Operations    int `json:"operations"`
	OK            int `json:"ok"`
	Failed        int `json:"failed"`
	Unknown       int `json:"unknown"`
	Faults        int `json:"faults"`
	LeaderChanges int `json:"leader_changes"`
	Installs      int `json:"installs"`
	Messages      int `json:"messages"`
}

type leftOut struct {
	Operations int `json:"operations"`
	Messages   int `json:"messages"`
	Faults     int `json:"faults"`
	Steps      int `json:"steps"`
	Lines      int `json:"lines"`
}

type check struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	Of      int    `json:"of"`
}

type role struct {
	Member int    `json:"m"`
	At     int64  `json:"at"`
	State  string `json:"state"`
	Term   uint64 `json:"term"`
}

// span is a life of a member's process; To is 0 if it lasts.
type span struct {
	Member int   `json:"m"`
	From   int64 `json:"from"`
	To     int64 `json:"to"`
}

// step is an index from a moment on: the log's, and the store's if known. A jump came with a snapshot.
type step struct {
	At    int64  `json:"at"`
	Log   uint64 `json:"log"`
	Store uint64 `json:"store,omitempty"`
	Jump  bool   `json:"jump,omitempty"`
}

type fault struct {
	ID      int    `json:"id"`
	Kind    string `json:"kind"`
	At      int64  `json:"at"`
	End     int64  `json:"end"`
	Members []int  `json:"members"` // none: all
	Struck  int    `json:"struck"`  // how often it took effect
	Text    string `json:"text"`
	Index   int    `json:"index"` // of the recording
}

type operation struct {
	Index   int    `json:"i"` // of the history
	Process int    `json:"p"`
	Kind    string `json:"op"`
	Reads   bool   `json:"reads"`
	Key     string `json:"key"`
	Call    int64  `json:"call"`
	Return  int64  `json:"ret"`
	Outcome string `json:"out"`
	Member  int    `json:"m"`
	Asks    string `json:"asks"`
	Came    string `json:"came"`
	At      uint64 `json:"at,omitempty"` // its modifiedIndex
	Error   string `json:"error,omitempty"`
}

// aim is what the page is about. Main and Ops are indices of the history.
type aim struct {
	Main    int    `json:"main"`
	Ops     []int  `json:"ops"`
	From    int64  `json:"from"`
	To      int64  `json:"to"`
	At      int64  `json:"at"`
	Key     string `json:"key"`
	Checker string `json:"checker"`
}

// order is an explanation with its operations as indices of the history (-1: the committed log has it, no client) and in words.
type order struct {
	Key    string   `json:"key"`
	Of     int      `json:"of"`
	Placed []placed `json:"placed"`
	Next   []placed `json:"next"`
	Before int      `json:"before"` // placed ones that are left out, at the beginning
}

type placed struct {
	Index int    `json:"i"`
	At    int64  `json:"at"` // where in its time the order puts it
	Text  string `json:"text"`
	State string `json:"state"` // after it; of what cannot follow, why
}

// data gathers what the page holds.
func (r *Report) data() *data {
	rep, rec := r.src.Report, r.src.Recording
	d := &data{
		Title: r.Story.Title, Facts: r.Story.Facts, Log: r.src.Log, Commit: r.src.Commit, Seed: hex(rep.Seed), Module: rep.Module,
		Hash: hex(rep.Hash), Verdict: string(rep.Verdict), Fired: rep.Fired, Plan: rep.Plan.Lines(),
		Members: rec.Members, Until: rep.VirtualNanos, Calm: rep.Plan.CalmAtNanos, Finding: r.Story.Finding, Promise: promises[rep.Fired],
		Count: counts{
			Operations: len(rec.History), OK: rep.OK, Failed: rep.Failed, Unknown: rep.Unknown, Faults: faultsStruck(rec),
			LeaderChanges: rep.Stats.LeaderChanges, Installs: rep.Stats.Installs, Messages: len(rec.Messages) + rec.MessagesLeftOut,
		},
	}
	for _, c := range rep.Checks {
		d.Checks = append(d.Checks, check{c.Checker, string(c.Verdict), c.Operations})
	}
	d.Lines = r.Story.Lines[:min(len(r.Story.Lines), MaxPageLines)]
	d.LeftOut.Lines = len(r.Story.Lines) - len(d.Lines)
	d.clients(rep, rec.History)
	d.lives(rec)
	if rec.Run != nil {
		for _, o := range rec.Run.Roles {
			d.Roles = append(d.Roles, role{d.member(o.Member), o.At, o.State, o.Term})
		}
	}
	d.steps(rec)
	r.faults(d)
	r.messages(d)
	r.operations(d)
	r.aim(d)
	return d
}

func (d *data) member(name string) int { return slices.Index(d.Members, name) }

// clients names what each process does: they are numbered in the order of the workloads, the one that reads back is the last.
func (d *data) clients(rep *sim.Report, h jepsen.History) {
	var does []string
	for _, w := range rep.Plan.Workloads {
		for range w.Clients {
			does = append(does, w.Name)
		}
	}
	seen := map[int]bool{} // read by key, and listed in order below
	last := 0
	for i := range h {
		seen[h[i].Process] = true
		last = max(last, h[i].Process)
	}
	for p := range last + 1 {
		c := client{Process: p, Does: "reads back"}
		if p < len(does) {
			c.Does = does[p]
		}
		if seen[p] {
			d.Clients = append(d.Clients, c)
		}
	}
}

func (d *data) lives(rec *sim.Recording) {
	for _, a := range rec.Acts {
		m := d.member(a.Who)
		if m < 0 {
			continue
		}
		switch a.What {
		case "start", "restart":
			d.Lives = append(d.Lives, span{Member: m, From: a.At})
		case "killed", "exit":
			for i := len(d.Lives) - 1; i >= 0; i-- {
				if d.Lives[i].Member == m {
					d.Lives[i].To = max(a.At, 1)
					break
				}
			}
		}
	}
}

// steps gathers what members have applied, and what they know to be committed: a leader by what it sends, the others by what
// they receive.
func (d *data) steps(rec *sim.Recording) {
	d.Applied, d.Commits = make([][]step, len(d.Members)), make([][]step, len(d.Members))
	if rec.Run != nil {
		for i := range rec.Run.Commits {
			c := &rec.Run.Commits[i]
			if m := d.member(c.Member); m >= 0 {
				d.Applied[m] = append(d.Applied[m], step{c.At, c.LogIndex, c.StoreIndex, c.Restored})
			}
		}
	}
	for i := range rec.Messages {
		m := &rec.Messages[i]
		if m.Says.Kind != sim.FrameAppend {
			continue
		}
		d.committed(m.From, m.Sent, m.Says.Commit)
		if m.Arrived > 0 {
			d.committed(m.To, m.Arrived, min(m.Says.Commit, m.Says.Index+m.Says.Entries))
		}
	}
	for m := range d.Members {
		slices.SortStableFunc(d.Commits[m], func(a, b step) int { return int(min(max(a.At-b.At, -1), 1)) })
		highest := uint64(0)
		d.Commits[m] = slices.DeleteFunc(d.Commits[m], func(s step) bool {
			higher := s.Log > highest
			highest = max(highest, s.Log)
			return !higher
		})
		d.Applied[m] = d.thinned(d.Applied[m])
		d.Commits[m] = d.thinned(d.Commits[m])
	}
}

func (d *data) committed(m int, at int64, index uint64) {
	if list := d.Commits[m]; len(list) == 0 || list[len(list)-1].Log != index {
		d.Commits[m] = append(list, step{At: at, Log: index})
	}
}

// thinned leaves out every second step until there are few enough; never a jump.
func (d *data) thinned(list []step) []step {
	for len(list) > MaxPageSteps/(2*len(d.Members)) {
		var kept []step
		for i := range list {
			if i%2 == 0 || list[i].Jump || i == len(list)-1 {
				kept = append(kept, list[i])
			}
		}
		if len(kept) == len(list) {
			break
		}
		d.LeftOut.Steps += len(list) - len(kept)
		list = kept
	}
	return list
}
