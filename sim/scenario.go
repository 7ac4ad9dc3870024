package sim

import (
	"fmt"
	"strings"
	"time"

	"holdfast/sim/client"
	"holdfast/sim/disk"
)

// The ports of a member, as a production one has them.
const (
	clientPort = 2379
	peerPort   = 2380
)

func clientURL(m *machine) string { return fmt.Sprintf("http://%s:%d", m.ip, clientPort) }

// scenario is the first one: one partition, one kill, then calm.
type scenario struct {
	w       *world
	members []*machine
	client  *machine
}

// newScenario adds the machines and plans what will happen to them. Further arguments of the members are for toy ones.
func newScenario(w *world, nodes int, memberArgs []string) *scenario {
	s := &scenario{w: w}
	for i := range nodes {
		s.members = append(s.members, w.add(&machine{
			name: memberName(i), ip: fmt.Sprintf("10.0.0.%d", i+1), disk: disk.New(),
			clock: clock{wallNanos: w.plan.WallOffsetNanos},
		}))
	}
	s.client = w.add(&machine{name: "c1", ip: "10.0.1.1", disk: disk.New(), endsItself: true})
	w.net = newNetwork(w, len(w.machines))

	peers, urls := make([]string, nodes), make([]string, nodes)
	for i, m := range s.members {
		peers[i] = fmt.Sprintf("%s=http://%s:%d", m.name, m.ip, peerPort)
		urls[i] = clientURL(m)
	}
	for i, m := range s.members {
		// name, its address, and the initial cluster in the form of the agent's flag.
		m.args = append([]string{"member", m.name, m.ip, strings.Join(peers, ",")}, memberArgs...)
		w.at(int64(i)*memberStagger, func() { s.start(m) })
	}
	work := client.Config{
		Endpoints: urls, Seed: w.draws.at(forWorkload, uint64(s.client.index), 0),
		Clients: w.plan.Clients, Keys: w.plan.Keys, Pause: time.Duration(w.plan.PauseNanos),
		Epoch: time.Unix(0, epochNanos), End: time.Unix(0, epochNanos+w.plan.EndNanos),
	}
	s.client.args = append([]string{"client"}, work.Args()...)
	w.at(clientStart, func() { s.start(s.client) })
	s.planFaults()
	return s
}

func (s *scenario) start(m *machine) {
	s.w.counts.Starts++
	what := "start"
	if m.incarnation > 0 {
		what = "restart"
	}
	s.w.tell(m.name, what, fmt.Sprintf("incarnation %d", m.incarnation+1))
	m.start()
}

// planFaults plans phase one. The faults do not overlap, so a quorum is always able to talk.
func (s *scenario) planFaults() {
	w, p := s.w, &s.w.plan
	var isolated *machine
	w.at(p.PartitionAtNanos, func() {
		isolated = s.victim(p.PartitionLeader, p.PartitionMember)
		w.counts.Partitions++
		w.tell(isolated.name, "isolate", "from all other members, in both directions")
		s.isolate(isolated, true)
	})
	w.at(p.HealAtNanos, func() {
		w.tell(isolated.name, "mend", fmt.Sprintf("isolated for %v", time.Duration(p.HealAtNanos-p.PartitionAtNanos)))
		s.isolate(isolated, false)
	})
	w.at(p.KillAtNanos, func() {
		victim := s.victim(p.KillLeader, p.KillMember)
		if victim.proc == nil {
			return // it has crashed by itself; the run is about to say so
		}
		w.tell(victim.name, "kill", fmt.Sprintf("at its host call %d from now", p.KillCalls))
		victim.doom(p.KillCalls)
		w.at(p.RestartAtNanos, func() { s.start(victim) })
	})
	w.at(p.CalmAtNanos, func() { w.tell("all", "calm", "phase two: no faults from here on") })
}

// isolate severs a member from the others, not from the clients: those go on talking to it.
func (s *scenario) isolate(victim *machine, cut bool) {
	for _, m := range s.members {
		if m != victim {
			s.w.net.setCut(victim.index, m.index, cut)
			s.w.net.setCut(m.index, victim.index, cut)
		}
	}
}

func (s *scenario) victim(leader bool, member int) *machine {
	if leader && s.w.leader != nil {
		return s.w.leader
	}
	return s.members[member]
}

// leaderNote begins the state note of a member that has become leader.
const leaderNote = "leader"

// observe keeps track of who leads, by the members' own notes.
func (w *world) observe(m *machine, state string) {
	switch {
	case strings.HasPrefix(state, leaderNote):
		w.leader = m
		w.counts.Leaders++
	case w.leader == m:
		w.leader = nil
	}
}
