package shrink

import (
	"fmt"
	"slices"

	"holdfast/sim"
)

// clone makes a log of its own that counts as edited.
func clone(d *sim.Decisions) *sim.Decisions {
	c := *d
	c.Faults = slices.Clone(d.Faults)
	c.Plan.Workloads, c.Plan.Skips, c.Plan.Upgrades = slices.Clone(d.Plan.Workloads), slices.Clone(d.Plan.Skips), slices.Clone(d.Plan.Upgrades)
	c.Hash, c.Verdict, c.Untouched = 0, "", false
	return &c
}

// withFaults leaves only some faults in a log.
func withFaults(d *sim.Decisions, keep []int) *sim.Decisions {
	c := clone(d)
	c.Faults = c.Faults[:0]
	for _, i := range keep {
		c.Faults = append(c.Faults, d.Faults[i])
	}
	return c
}

// fewerUpgrades makes logs in which all members are of one version, or one more is not upgraded: because it is of the present
// version from the start, or is of the earlier one to the end.
func fewerUpgrades(d *sim.Decisions) []*sim.Decisions {
	if !d.Mixed() {
		return nil
	}
	one := clone(d)
	one.Plan.Upgrades, one.Before = nil, ""
	out := []*sim.Decisions{one}
	for i, at := range d.Plan.Upgrades {
		for _, instead := range []int64{0, sim.Never} {
			if at > 0 || at < instead {
				c := clone(d)
				c.Plan.Upgrades[i] = instead
				out = append(out, c)
			}
		}
	}
	return out
}

// simplerSchedule makes logs in which the members' goroutines are never late, take turns that are drawn uniformly, or both.
// Goroutines that are late move everything after them, and by other times once anything is taken away: so both at one time is
// tried with some other seeds, too.
func simplerSchedule(d *sim.Decisions) []*sim.Decisions {
	uniform := d.Plan.Priorities == (sim.Priorities{})
	if d.Plan.Punctual && uniform {
		return nil
	}
	simple := clone(d)
	simple.Plan.Priorities, simple.Plan.Punctual = sim.Priorities{}, true
	out := []*sim.Decisions{simple}
	for n := range uint64(redrawnSeeds) {
		out = append(out, redrawn(simple, n+1))
	}
	if !d.Plan.Punctual && !uniform {
		punctual, even := clone(d), clone(d)
		punctual.Plan.Punctual, even.Plan.Priorities = true, sim.Priorities{}
		out = append(out, punctual, even)
	}
	return out
}

// redrawn makes a log of another seed, in which faults of kinds that always go for the leader strike whoever that is then.
func redrawn(d *sim.Decisions, n uint64) *sim.Decisions {
	c := clone(d)
	c.Seed += n
	for i := range c.Faults {
		f := &c.Faults[i]
		f.Leader = f.Leader || f.GoesForLeader()
	}
	return c
}

// clients lists all clients, each by the place of its workload.
func clients(d *sim.Decisions) []int {
	var out []int
	for i, w := range d.Plan.Workloads {
		for range w.Clients {
			out = append(out, i)
		}
	}
	return out
}

// withClients leaves only some clients in a log; nil if that were none: nothing is shown then.
func withClients(d *sim.Decisions, keep []int) *sim.Decisions {
	if len(keep) == 0 {
		return nil
	}
	all, c := clients(d), clone(d)
	c.Plan.Skips = nil
	for now, before := range keep { // each keeps what it leaves out, under its new number
		for _, s := range d.Plan.Skips {
			if s.Client == before {
				s.Client = now
				c.Plan.Skips = append(c.Plan.Skips, s)
			}
		}
	}
	for i := range c.Plan.Workloads {
		c.Plan.Workloads[i].Clients = 0
	}
	for _, i := range keep {
		c.Plan.Workloads[all[i]].Clients++
	}
	c.Plan.Workloads = slices.DeleteFunc(c.Plan.Workloads, func(w sim.Work) bool { return w.Clients == 0 })
	// What each client does a second stays as it was: fewer operations are another step.
	c.Plan.OpsPerSecond = max(d.Plan.OpsPerSecond*int64(len(keep))/int64(len(all)), 1)
	return c
}

// fewerClientsRedrawn makes logs with less than half of the clients, or with some of one workload only, and another seed: what
// they do, and how long everything takes, is drawn anew.
func fewerClientsRedrawn(d *sim.Decisions) []*sim.Decisions {
	all := clients(d)
	var some [][]int
	add := func(keep []int) {
		keep = keep[:min(len(keep), redrawnClients)]
		if len(keep) > 0 && len(keep) < len(all) && !slices.ContainsFunc(some, func(k []int) bool { return slices.Equal(k, keep) }) {
			some = append(some, keep)
		}
	}
	for i := range d.Plan.Workloads {
		var keep []int
		for client, workload := range all {
			if workload == i {
				keep = append(keep, client)
			}
		}
		add(keep[:1])
		add(keep)
	}
	for half := range 2 {
		var keep []int
		for client := half; client < len(all); client += 2 {
			keep = append(keep, client)
		}
		add(keep)
	}
	var out []*sim.Decisions
	for n := range uint64(redrawnSeeds) {
		for _, keep := range some {
			c := redrawn(withClients(d, keep), n+1)
			if n%2 == 0 { // as much as all of them did: whatever is not needed goes with the operations
				c.Plan.OpsPerSecond = d.Plan.OpsPerSecond
			}
			out = append(out, c)
		}
	}
	return out
}

// So many clients are left at most, and so many other seeds tried.
const (
	redrawnClients = 3
	redrawnSeeds   = 6
)

// fewerOperations makes logs whose clients do only small things, or half as much in the same time, with some other seeds, too.
func fewerOperations(d *sim.Decisions) []*sim.Decisions {
	var out []*sim.Decisions
	if d.Plan.BulkBytes > 0 {
		c := clone(d)
		c.Plan.BulkBytes = 0
		out = append(out, c)
	}
	if half := d.Plan.OpsPerSecond / 2; half > 0 {
		c := clone(d)
		c.Plan.OpsPerSecond = half
		out = append(out, c)
		for n := range uint64(redrawnSeeds) {
			out = append(out, redrawn(c, n+1))
		}
	}
	return out
}

// operation is the n-th of a client.
type operation struct{ client, n int }

// operations lists those that clients began and the log does not leave out; the one who reads back is not to be touched.
func operations(d *sim.Decisions, began []int) []operation {
	out := make([]operation, 0, 64)
	for client := range min(len(clients(d)), len(began)) {
		for n := range min(began[client], maxOperations) {
			if !leftOut(d, client, n) {
				out = append(out, operation{client, n})
			}
		}
	}
	return out
}

// maxOperations is how many of one client's are looked at.
const maxOperations = 10_000

func leftOut(d *sim.Decisions, client, n int) bool {
	return slices.ContainsFunc(d.Plan.Skips, func(s sim.Skip) bool { return s.Client == client && s.From <= n && n < s.To })
}

// withOperations leaves out of a log all of the operations named but some.
func withOperations(d *sim.Decisions, began []operation, keep []int) *sim.Decisions {
	c := clone(d)
	c.Plan.Skips = nil
	kept := make(map[operation]bool, len(keep)) // read by key only
	for _, i := range keep {
		kept[began[i]] = true
	}
	out := map[operation]bool{} // read by key only
	most := map[int]int{}       // by client: beyond its last operation; read by key only
	for _, s := range d.Plan.Skips {
		for n := s.From; n < s.To; n++ {
			out[operation{s.Client, n}] = true
		}
		most[s.Client] = max(most[s.Client], s.To)
	}
	for _, o := range began {
		out[o] = !kept[o]
		most[o.client] = max(most[o.client], o.n+1)
	}
	for client := range clients(d) {
		for n := 0; n < most[client]; n++ {
			if !out[operation{client, n}] {
				continue
			}
			if last := len(c.Plan.Skips) - 1; last >= 0 && c.Plan.Skips[last].Client == client && c.Plan.Skips[last].To == n {
				c.Plan.Skips[last].To++
			} else {
				c.Plan.Skips = append(c.Plan.Skips, sim.Skip{Client: client, From: n, To: n + 1})
			}
		}
	}
	return c
}

// fewerMembers makes logs of smaller clusters, the smallest first: without the faults of those who are gone, and with these
// faults at others.
func fewerMembers(d *sim.Decisions) []*sim.Decisions {
	var out []*sim.Decisions
	for nodes := sim.MinNodes; nodes < d.Plan.Nodes; nodes++ {
		gone, moved := clone(d), clone(d)
		gone.Plan.Nodes, moved.Plan.Nodes = nodes, nodes
		if len(d.Plan.Upgrades) > 0 {
			gone.Plan.Upgrades, moved.Plan.Upgrades = gone.Plan.Upgrades[:nodes], moved.Plan.Upgrades[:nodes]
		}
		gone.Faults = slices.DeleteFunc(gone.Faults, func(f sim.Fault) bool {
			return memberNumber(f.Member) > nodes || memberNumber(f.Other) > nodes
		})
		out = append(out, gone)
		if len(gone.Faults) == len(d.Faults) {
			continue
		}
		for i := range moved.Faults {
			f := &moved.Faults[i]
			f.Member, f.Other = movedTo(f.Member, nodes), movedTo(f.Other, nodes)
		}
		out = append(out, moved)
	}
	return out
}

// memberNumber is n of mn, 0 if it is none.
func memberNumber(name string) (n int) {
	if _, err := fmt.Sscanf(name, "m%d", &n); err != nil {
		return 0
	}
	return n
}

func movedTo(name string, nodes int) string {
	n := memberNumber(name)
	if n <= nodes {
		return name
	}
	return fmt.Sprintf("m%d", (n-1)%nodes+1)
}

// Times of a shrunk run: what is gained below stepNanos is not worth another test.
const stepNanos = 250_000_000

// lessTime makes logs that end earlier: the calm first, which begins with the end of the last fault at the earliest, then what
// clients do in it; and logs whose faults last half as long.
func lessTime(d *sim.Decisions) []*sim.Decisions {
	last := int64(firstCalm)
	for i := range d.Faults {
		last = max(last, d.Faults[i].At+d.Faults[i].For+1)
	}
	for _, at := range d.Plan.Upgrades {
		if at < d.Plan.CalmAtNanos { // else it is never upgraded
			last = max(last, at+1)
		}
	}
	var out []*sim.Decisions
	add := func(calm, end int64) {
		end = max(end, calm, shortestEnd)
		if calm < last || calm > d.Plan.CalmAtNanos || end > d.Plan.EndNanos || d.Plan.CalmAtNanos-calm+d.Plan.EndNanos-end < stepNanos {
			return
		}
		c := clone(d)
		c.Plan.CalmAtNanos, c.Plan.EndNanos = calm, end
		out = append(out, c)
	}
	calm, after := d.Plan.CalmAtNanos, d.Plan.EndNanos-d.Plan.CalmAtNanos
	for _, sooner := range []int64{last, (last + calm) / 2} {
		add(sooner, sooner)
		add(sooner, sooner+after/2)
		add(sooner, sooner+after)
	}
	add(calm, calm)
	add(calm, calm+after/2)
	for i := range d.Faults {
		if half := d.Faults[i].For / 2; half >= stepNanos {
			c := clone(d)
			c.Faults[i].For = half
			out = append(out, c)
		}
	}
	return out
}

// A run has to go on for so long: the least that a plan may have, and until there is a leader whom something can happen to.
const (
	shortestEnd = int64(sim.MinDuration) * 7 / 10
	firstCalm   = 2_500_000_000
)
