package sim

import "holdfast/sim/patch"

// ranked is the second kind of schedule that the guest's runtime knows: by priority, after Burckhardt, Kothari, Musuvathi and
// Nagarakatte, A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs, ASPLOS 2010. Where turns are drawn each
// time anew a goroutine is hardly ever late many times in a row; here it is as long as it ranks low.
//
//   - Each goroutine has a rank, drawn for it, and of those that are ready the highest runs. Whoever makes a higher one ready
//     loses its turn at its next function call: that is how Go's runtime preempts anyhow.
//   - A round has so many steps. A step is a moment at which who runs makes somebody ready, reads the clock, or syncs a file. At
//     a few of them, drawn before, who runs falls below all others. With each round everything is drawn anew: a process lives
//     for many rounds, unless they are long ones, and has as many chances.
//
// A strict order may starve whoever ranks low. Mostly it does not: computing takes no time, and news from outside is looked
// at when nobody is ready any more, so that each gets his turn before that. Goroutines that spin, or wake each other for ever,
// are what is left. Who gives way by itself (Gosched) is therefore out of the order, behind all who are ready, as in the
// unchanged runtime. And the order holds for a burst only: in a process that has made longestBurst steps since it last
// waited for the world outside, turns are drawn uniformly until it waits again.
//
// The host tells a process of its schedule by the environment variable of priorityVariable, "points/steps", which the runtime
// reads before there is any goroutine. Without it nothing is drawn for this, and all is as it was.
var ranked = []patch.Edit{
	{
		Module: patch.GOROOT, File: "runtime/proc.go",
		Old: `	goenvs()
	secure()
`,
		New: `	goenvs()
	ranks.begin(gogetenv("` + priorityVariable + `"))
	secure()
`,
	},
	{
		Module: patch.GOROOT, File: "runtime/proc.go",
		Old: `		list, delta := netpoll(delay) // block until new work is available
`,
		New: `		ranks.burst, ranks.strict = 0, ranks.on
		list, delta := netpoll(delay) // block until new work is available
`,
	},
	{
		Module: patch.GOROOT, File: "runtime/proc.go",
		Old: "	if preempted && sched.gcwaiting.Load() {\n",
		New: "	if preempted && (sched.gcwaiting.Load() || ranks.strict) {\n",
	},
	{
		Module: patch.GOROOT, File: "runtime/proc.go",
		Old: `		if t == h {
			return nil, false
		}
		gp := pp.runq[h%uint32(len(pp.runq))].ptr()
`,
		New: `		if t == h {
			return nil, false
		}
		if ranks.strict {
			ranks.bringForward(pp, h, t)
		}
		gp := pp.runq[h%uint32(len(pp.runq))].ptr()
`,
	},
	{
		Module: patch.GOROOT, File: "runtime/proc.go",
		Old: "// runqempty reports whether pp has no Gs on its local run queue.\n",
		New: rankingSource + "// runqempty reports whether pp has no Gs on its local run queue.\n",
	},
}

// priorityVariable names the schedule of a process in its environment.
const priorityVariable = "HOLDFAST_PRIORITIES"

// rankingSource is what the runtime gets for it.
const rankingSource = `const (
	maxFallen    = 8
	longestBurst = 4096
)

var ranks ranking

// ranking is the order of the goroutines in a process with a priority schedule.
type ranking struct {
	on     bool   // there is such a schedule
	strict bool   // and it holds
	burst  uint32 // steps since the process last waited for something outside
	salt   uint32 // of this round

	step, steps uint32 // of this round: made, and all
	points      uint32 // how many goroutines fall in a round
	next        uint32 // the step at which the next one does
	at          [maxFallen]uint32
	fallen      int
	low         [maxFallen]uint64 // who has fallen, the first first
}

// begin reads "points/steps".
func (r *ranking) begin(schedule string) {
	before, after, found := stringslite.Cut(schedule, "/")
	if !found {
		return
	}
	points, err1 := strconv.ParseInt(before, 10, 32)
	steps, err2 := strconv.ParseInt(after, 10, 32)
	if err1 != nil || err2 != nil || points < 0 || points > maxFallen || steps < 1 {
		throw("bad priority schedule")
	}
	r.on, r.strict, r.points, r.steps = true, true, uint32(points), uint32(steps)
	r.draw()
}

// draw begins a round.
func (r *ranking) draw() {
	r.salt, r.step, r.fallen = cheaprand(), 0, 0
	for i := range r.at[:r.points] {
		r.at[i] = 1 + cheaprandn(r.steps)
	}
	r.aim()
}

func (r *ranking) aim() {
	r.next = r.steps + 1
	for _, at := range r.at[:r.points] {
		if at > r.step && at < r.next {
			r.next = at
		}
	}
}

// of is a goroutine's rank: drawn for it, which is as good as hashing its number, or below all of these.
func (r *ranking) of(gp *g) uint32 {
	for i := r.fallen - 1; i >= 0; i-- {
		if r.low[i] == gp.goid {
			return maxFallen - uint32(i)
		}
	}
	x := uint32(gp.goid) ^ r.salt
	x = (x ^ x>>16) * 0x85ebca6b
	x = (x ^ x>>13) * 0xc2b2ae35
	return x ^ x>>16 | 1<<31
}

// count counts a step, and tells whether gp, which runs, has fallen in it.
func (r *ranking) count(gp *g) bool {
	if r.burst++; r.burst > longestBurst {
		r.strict = false
		return false
	}
	if r.step++; r.step > r.steps {
		r.draw()
	}
	if r.step != r.next {
		return false
	}
	r.low[r.fallen] = gp.goid
	r.fallen++
	r.aim()
	return true
}

// joined is told that gp has become ready: who runs then goes on only if it ranks higher.
func (r *ranking) joined(gp *g) {
	running := getg().m.curg
	if running != nil && (r.count(running) || r.of(gp) > r.of(running)) {
		running.preempt = true
		running.stackguard0 = stackPreempt
	}
}

// bringForward puts the highest of the queue from h to t at its head.
func (r *ranking) bringForward(pp *p, h, t uint32) {
	best, top := h, uint32(0)
	for i := h; i != t; i++ {
		if rank := r.of(pp.runq[i%uint32(len(pp.runq))].ptr()); rank > top {
			best, top = i, rank
		}
	}
	head := &pp.runq[h%uint32(len(pp.runq))]
	highest := &pp.runq[best%uint32(len(pp.runq))]
	*head, *highest = *highest, *head
}

`
