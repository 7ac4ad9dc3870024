package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Fault is one decision of the nemesis: what happens to whom, when, for how long. It is data: a schedule of them is drawn
// before the run (see Schedule), a decision log holds it, and taking one out leaves all others as they were.
type Fault struct {
	// ID names the fault within its run; what its own end draws (which sectors a power cut takes) is drawn under this number.
	ID   int    `json:"id"`
	Kind string `json:"kind"`
	At   int64  `json:"at"`            // virtual nanoseconds
	For  int64  `json:"for,omitempty"` // how long it lasts; of a kill or a power cut, how long the member stays down
	// Member is whom it strikes. If Leader is set it is who leads at that moment, and Member only if nobody does; a log
	// holds the one that was struck.
	Leader bool   `json:"leader,omitempty"`
	Member string `json:"member,omitempty"`
	Other  string `json:"other,omitempty"` // the far end of a link
	N      int64  `json:"n,omitempty"`     // the kind's own number
}

// GoesForLeader tells whether the fault's kind strikes the leader whenever there is one. Where a run is drawn anew, another may
// lead at that moment than the one whom a log names.
func (f *Fault) GoesForLeader() bool {
	k := faultKind(f.Kind)
	return k != nil && k.leads
}

// kind describes one kind of fault.
type kind struct {
	name  string
	about string // what N is
	// weight is how often it is drawn beside the others, of those that a run's mix holds.
	weight int64
	// shortest and longest are the bounds of For.
	shortest, longest time.Duration
	lo, hi            int64 // bounds of N
	strike            func(n *nemesis, f *Fault) (detail string, undo func())
	// destroys marks a fault after which its member is lost for good.
	destroys bool
	// share is in how many of a hundred runs the kind is in the mix; 0: usualShare.
	share int64
	// leads marks a fault that goes for the leader always, not in six of ten cases.
	leads bool
	// downs marks a fault that ends processes: such ones make elections.
	downs bool
	// armed marks a fault that waits for its moment, which may never come: it counts when it goes off.
	armed bool
	// holds marks a fault that sets something of its member or link until it ends: of two at one time the later one holds, and
	// the end of the earlier one changes nothing.
	holds hold
}

// hold is what a fault sets.
type hold int

const (
	nothing hold = iota
	ofMember
	ofLink
)

// kinds is the catalogue, in the order in which mixes are drawn: append only.
var kinds = []kind{
	{name: "isolate", weight: 4, shortest: time.Second, longest: 3500 * time.Millisecond, strike: (*nemesis).isolate},
	{name: "one-way", about: "0: it hears nothing, 1: nobody hears it", weight: 3, shortest: time.Second, longest: 3500 * time.Millisecond, hi: 2, strike: (*nemesis).oneWay},
	{name: "split", about: "bits: who is on which side", weight: 3, shortest: time.Second, longest: 3500 * time.Millisecond, lo: 1, hi: 1 << 16, strike: (*nemesis).split},
	{name: "ring", about: "where it begins", weight: 2, shortest: time.Second, longest: 4 * time.Second, hi: MaxNodes, strike: (*nemesis).ring},
	{name: "bridge", weight: 2, shortest: time.Second, longest: 4 * time.Second, strike: (*nemesis).bridge},
	{name: "clog", weight: 3, shortest: 200 * time.Millisecond, longest: 3 * time.Second, strike: (*nemesis).clog},
	{name: "slow-link", about: "added latency, in microseconds", weight: 2, shortest: time.Second, longest: 8 * time.Second, lo: 5_000, hi: 150_000, strike: (*nemesis).slowLink, holds: ofLink},
	{name: "flaky", about: "resets per mille of segments", weight: 2, shortest: time.Second, longest: 6 * time.Second, lo: 1, hi: 30, strike: (*nemesis).flaky, holds: ofLink},
	{name: "lossy", about: "lost segments per mille", weight: 2, shortest: time.Second, longest: 6 * time.Second, lo: 10, hi: 200, strike: (*nemesis).lossy, holds: ofLink},
	{name: "reset", about: "1: one end only hears of it", weight: 2, hi: 2, strike: (*nemesis).reset},
	{name: "kill", about: "host calls until it dies", weight: 5, shortest: 100 * time.Millisecond, longest: 2500 * time.Millisecond, hi: 300, strike: (*nemesis).kill, downs: true},
	{name: "power-cut", about: "host calls until it is dark", weight: 5, shortest: 100 * time.Millisecond, longest: 2500 * time.Millisecond, hi: 300, strike: (*nemesis).powerCut, downs: true},
	{name: "blackout", about: "host calls until it is dark", weight: 2, shortest: 100 * time.Millisecond, longest: 2 * time.Second, hi: 300, strike: (*nemesis).blackout, downs: true},
	{name: "pause", weight: 3, shortest: 100 * time.Millisecond, longest: 3 * time.Second, strike: (*nemesis).pause},
	{name: "slow-process", about: "delay of each turn, in microseconds", weight: 2, shortest: time.Second, longest: 5 * time.Second, lo: 200, hi: 20_000, strike: (*nemesis).slowProcess, holds: ofMember},
	{name: "slow-disk", about: "times an fsync takes longer", weight: 2, shortest: time.Second, longest: 6 * time.Second, lo: 5, hi: 100, strike: (*nemesis).slowDisk, holds: ofMember},
	{name: "hung-disk", weight: 1, shortest: 500 * time.Millisecond, longest: 12 * time.Second, strike: (*nemesis).hungDisk},
	{name: "disk-error", about: "disk operations until one fails", weight: 2, shortest: 100 * time.Millisecond, longest: 2 * time.Second, hi: 60, strike: (*nemesis).diskError, downs: true, armed: true, holds: ofMember},
	{name: "full-disk", about: "bytes left", weight: 1, shortest: 500 * time.Millisecond, longest: 4 * time.Second, hi: 20_000, strike: (*nemesis).fullDisk, downs: true, holds: ofMember},
	{name: "clock-rate", about: "parts per million", weight: 2, shortest: time.Second, longest: 10 * time.Second, lo: -rhoPPM, hi: rhoPPM + 1, strike: (*nemesis).clockRate, holds: ofMember},
	{name: "clock-stall", weight: 2, shortest: 50 * time.Millisecond, longest: 2 * time.Second, strike: (*nemesis).clockStall},
	{name: "clock-step", about: "nanoseconds that the wall clock jumps", weight: 6, lo: -3_600_000_000_000, hi: 3_600_000_000_000, strike: (*nemesis).clockStep},
	{name: "aimed-kill", about: "low byte: which file it waits for, the rest: host calls from there", weight: 6, shortest: 100 * time.Millisecond, longest: 2 * time.Second, hi: 48 << 8, strike: (*nemesis).aimedKill, downs: true, armed: true, share: oftenShare},
	{name: "aimed-cut", about: "as of an aimed kill", weight: 12, shortest: 100 * time.Millisecond, longest: 2 * time.Second, hi: 48 << 8, strike: (*nemesis).aimedCut, downs: true, armed: true, share: oftenShare},
	{name: "hiccup", weight: 4, shortest: 500 * time.Millisecond, longest: 1400 * time.Millisecond, strike: (*nemesis).pause},
	{name: "blink", weight: 4, shortest: 400 * time.Millisecond, longest: 1600 * time.Millisecond, strike: (*nemesis).isolate},
	{name: "stale-leader", about: "what comes through half-way, and who reaches it", weight: 10, shortest: 1600 * time.Millisecond, longest: 3600 * time.Millisecond, hi: 12, strike: (*nemesis).staleLeader, share: oftenShare, leads: true},
	{name: "rot", about: "which bit; odd: of the last entries, when a majority needs them", weight: 1, shortest: 100 * time.Millisecond, longest: time.Second, hi: 1 << 32, strike: (*nemesis).rot, share: rotShare, destroys: true, armed: true},
	{name: "wipe", weight: 1, shortest: 100 * time.Millisecond, longest: time.Second, strike: (*nemesis).wipe, destroys: true},
	{name: "vote-kill", about: "twice the host calls from the second record of a vote until whoever writes it dies; odd: its power fails", weight: 4, shortest: 800 * time.Millisecond, longest: 1800 * time.Millisecond, hi: 24, strike: (*nemesis).voteKill, downs: true, armed: true, share: oftenShare, leads: true},
	{name: "short-reigns", about: "the longest time until a new leader is cut off, in microseconds", weight: 12, shortest: 5 * time.Second, longest: 10 * time.Second, lo: 2_000, hi: 120_000, strike: (*nemesis).shortReigns, leads: true, share: oftenShare},
	{name: "slow-start", about: "delay of each turn from then on, in microseconds", weight: 8, shortest: 800 * time.Millisecond, longest: 2500 * time.Millisecond, lo: 2_000, hi: 60_000, strike: (*nemesis).slowStart, holds: ofMember, downs: true},
}

// FaultKinds lists the names of all kinds of faults.
func FaultKinds() []string {
	out := make([]string, 0, len(kinds))
	for i := range kinds {
		out = append(out, kinds[i].name)
	}
	return out
}

func faultKind(name string) *kind {
	if i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name }); i >= 0 {
		return &kinds[i]
	}
	return nil
}

// Times of a schedule.
const (
	// firstFault leaves the members time to elect a leader and to publish themselves.
	firstFault = 2_500_000_000
	// destroyFrom leaves the members time to gather something worth losing.
	destroyFrom = 4_000_000_000
	// lastFault is how long before the calm no fault begins any more.
	lastFault = 500_000_000
	// destroyLast is how long before the calm a destruction comes for which the cluster cannot spare anybody any longer.
	destroyLast = 1_500_000_000
)

// Schedule draws the faults of a run: swarm testing. A seed has a random mix of kinds, each with a random weight, and a
// random pace; so that some runs see much of one thing and others a little of all.
func Schedule(o Options, p *Plan) []Fault {
	d := draws(o.Seed)
	mix := drawMix(d, o.Faults)
	if len(mix) == 0 {
		return nil
	}
	out, total := drawDestructions(d, mix, p), int64(0)
	last := p.CalmAtNanos - lastFault
	if o.Faults == nil {
		out = withClosing(out, drawClosing(d, p), p)
		last = min(last, out[len(out)-1].At) // it has its time for itself
	}
	mix = slices.DeleteFunc(mix, func(m mixed) bool { return m.destroys })
	for _, m := range mix {
		total += m.weight
	}
	pace := d.between(forFaults, 0, 0, 450_000_000, 2_100_000_000)
	if o.Pace > 0 {
		pace = int64(o.Pace)
	}
	for at, n := int64(firstFault), uint64(1); total > 0; n++ {
		at += d.between(forFaults, n, 0, pace/4, pace*7/4)
		if at >= last {
			break
		}
		k, which := mix[0].kind, d.between(forFaults, n, 1, 0, total)
		for _, m := range mix {
			if which < m.weight {
				k = m.kind
				break
			}
			which -= m.weight
		}
		out = append(out, drawFault(d, k, n, at, p))
	}
	slices.SortStableFunc(out, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return out
}

// withClosing adds the closing fault. It and what comes before it would show nothing if the cluster could no more do without
// another member: the destruction that brings it there comes after it, or not at all if clients fall silent with it.
func withClosing(destructions []Fault, closing Fault, p *Plan) []Fault {
	if n := len(destructions); n > 0 && n == (p.Nodes-1)/2 {
		last := int64(destroyLast)
		if destructions[n-1].ofLast() {
			last = lastGathers + lastAlone + 2*destroyAgain
		}
		if p.silent() {
			destructions = destructions[:n-1]
		} else if closing.At-last >= firstFault {
			closing.At -= last
			destructions[n-1].At = closing.At + closing.For + destroyAgain/2
			destructions[n-1].For = min(destructions[n-1].For, destroyLast/2)
		}
	}
	return append(destructions, closing)
}

// drawClosing draws the fault with which a run's faults end: a leader that was deposed comes back. If clients fall silent
// then, the cluster has nothing more to tell it.
func drawClosing(d draws, p *Plan) Fault {
	pick := func(which uint64, of int64) int64 { return d.between(forFaults, closingID, which, 0, of) }
	name, form := "stale-leader", int64(lateAsked)
	switch silent := p.silent(); {
	case silent && pick(1, 10) == 0:
		name = "isolate"
	case silent && pick(7, 10) == 0:
		form = pick(8, lateAsked)
	case silent:
		form = aloneReached // its log grows, and nobody else's
	case pick(1, 2) == 0:
		form = metFresh
	}
	f := drawFault(d, faultKind(name), closingID, 0, p)
	if f.Leader = true; name == "stale-leader" {
		f.N = form
	}
	f.For = min(d.between(forFaults, closingID, 3, closingShortest, closingLongest), p.CalmAtNanos-firstFault)
	f.At = p.CalmAtNanos - f.For
	return f
}

// closingID is the number of the closing fault, and how long it lasts: an election, and a few writes.
const (
	closingID       = 2_000_000
	closingShortest = 2_200_000_000
	closingLongest  = 3_600_000_000
)

// drawFault draws the n-th fault, of a kind and at a time.
func drawFault(d draws, k *kind, n uint64, at int64, p *Plan) Fault {
	f := Fault{ID: int(n), Kind: k.name, At: at, N: d.between(forFaults, n, 2, k.lo, k.hi)}
	f.For = min(d.between(forFaults, n, 3, int64(k.shortest), int64(k.longest)), p.CalmAtNanos-at)
	f.Leader = d.at(forFaults, n, 4)%5 < 3 || k.leads
	first := d.between(forFaults, n, 5, 0, int64(p.Nodes))
	f.Member = memberName(int(first))
	f.Other = memberName(int((first + d.between(forFaults, n, 6, 1, int64(p.Nodes))) % int64(p.Nodes)))
	return f
}

// drawDestructions draws when members are lost for good: once for each such kind in the mix, as far as a quorum can mend
// it, early enough to have consequences.
func drawDestructions(d draws, mix []mixed, p *Plan) []Fault {
	var out []Fault
	for i, m := range mix {
		if !m.destroys || len(out) >= (p.Nodes-1)/2 {
			continue
		}
		n := destructionID + uint64(i)
		out = append(out, drawFault(d, m.kind, n, d.between(forFaults, n, 0, destroyFrom, max(p.CalmAtNanos-3_000_000_000, destroyFrom+1)), p))
	}
	return out
}

// destructionID is the number of the first fault that destroys a member: beyond those of all others.
const destructionID = 1_000_000

// In how many of a hundred runs a kind is in the mix: of some it takes much else until something comes of them, and hardly any
// bit that rots matters.
const (
	usualShare = 45
	oftenShare = 65
	rotShare   = 65
)

type mixed struct {
	*kind
	weight int64
}

// drawMix chooses the kinds of a run. At least one of them takes processes or links away, or nothing would ever change.
func drawMix(d draws, names []string) []mixed {
	var out []mixed
	if names != nil {
		for _, name := range names {
			out = append(out, mixed{faultKind(name), 1})
		}
		return out
	}
	elects := false
	for i := range kinds {
		k := &kinds[i]
		which := drawFaultMix + 2*uint64(i)
		if d.between(forOptions, which, 0, 0, 100) < cmp.Or(k.share, usualShare) {
			out = append(out, mixed{k, k.weight * d.between(forOptions, which+1, 0, 1, 4)})
			elects = elects || k.downs || k.name == "isolate"
		}
	}
	if !elects {
		out = append(out, mixed{faultKind("kill"), 6}, mixed{faultKind("isolate"), 6})
	}
	return out
}

// String tells a fault in a line of the timeline.
func (f *Fault) String() string {
	text := fmt.Sprintf("#%d", f.ID)
	if f.For > 0 {
		text += fmt.Sprintf(" for %v", time.Duration(f.For).Round(time.Microsecond))
	}
	return text
}
