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
func peerAddr(m *machine) string  { return fmt.Sprintf("%s:%d", m.ip, peerPort) }

// scenario is one run: members, a process of clients, and a nemesis that plays a schedule of faults until all is calm.
type scenario struct {
	w       *world
	members []*machine
	client  *machine
	nemesis *nemesis
}

// newScenario adds the machines and plans what will happen to them. Further arguments of the members are for toy ones.
func newScenario(w *world, faults []Fault, memberArgs []string) *scenario {
	s := &scenario{w: w}
	w.onEnd = s.ended
	nodes := w.plan.Nodes
	for i := range nodes {
		s.members = append(s.members, w.add(&machine{
			name: memberName(i), ip: fmt.Sprintf("10.0.0.%d", i+1), disk: disk.New(),
			clock: clock{wallNanos: w.plan.WallOffsetNanos}, priorities: w.plan.Priorities, late: !w.plan.Punctual,
		}))
	}
	w.recording.begin(s.members)
	s.client = w.add(&machine{name: "c1", ip: "10.0.1.1", disk: disk.New(), endsItself: true})
	w.net = newNetwork(w, len(w.machines))

	peers, urls := make([]string, nodes), make([]string, nodes)
	for i, m := range s.members {
		peers[i] = fmt.Sprintf("%s=http://%s", m.name, peerAddr(m))
		urls[i] = clientURL(m)
	}
	for i, m := range s.members {
		// name, its address, the initial cluster in the form of the agent's flag, its limits.
		m.args = append([]string{"member", m.name, m.ip, strings.Join(peers, ","), w.plan.Knobs.Arg()}, memberArgs...)
		if ppm := w.plan.RatePPM; ppm > 0 {
			m.basePPM = w.draws.between(forClockRate, uint64(m.index), 0, -ppm, ppm+1)
			m.setRate(m.basePPM)
		}
		w.at(int64(i)*memberStagger, func() { s.revive(m) })
	}
	work := client.Config{
		Endpoints: urls, Seed: w.draws.at(forWorkload, uint64(s.client.index), 0), FinalRead: true,
		PatientUntil: time.Unix(0, epochNanos+w.plan.CalmAtNanos+readBackAfter),
		Ring:         w.plan.Knobs.HistoryEvents, Timeout: time.Duration(w.plan.TimeoutNanos), Bulk: int(w.plan.BulkBytes), Skips: w.plan.Skips,
		Epoch: time.Unix(0, epochNanos), End: time.Unix(0, epochNanos+w.plan.EndNanos),
	}
	for _, one := range w.plan.Workloads {
		work.Workloads = append(work.Workloads, client.Workload{
			Name: one.Name, Clients: one.Clients, PauseNanos: w.plan.pauseNanos(),
		})
	}
	s.client.args = append([]string{"client"}, work.Args()...)
	if len(work.Workloads) > 0 {
		w.at(clientStart, func() { s.start(s.client) })
	}
	s.nemesis = newNemesis(s, faults)
	s.nemesis.planUpgrades()
	w.at(w.plan.CalmAtNanos, s.calm)
	return s
}

func (s *scenario) start(m *machine) {
	s.w.counts.Starts++
	what := "start"
	if m.incarnation > 0 {
		what = "restart"
	}
	s.w.tell(m.name, what, fmt.Sprintf("incarnation %d%s", m.incarnation+1, m.startsAs()))
	m.start()
}

// revive starts a member that is down, has power and is not meant to stay down.
func (s *scenario) revive(m *machine) {
	if m.proc != nil || s.w.now < m.cond.downUntil {
		return
	}
	s.powerOn(m)
	m.cond.excuse = m.cond.lost
	if m.cond.lost == wiped {
		s.w.reached(probeWipedStart)
	}
	s.start(m)
}

func (s *scenario) powerOn(m *machine) {
	if m.cond.dark {
		m.cond.dark = false
		s.w.net.powerOn(m.index)
	}
}

// restartPause is how long an operator takes to start a member again that has ended by itself.
const restartPause = 500_000_000

// ended decides what becomes of a machine whose process has ended.
func (s *scenario) ended(m *machine, e end) {
	w := s.w
	switch {
	case m == s.client:
		if e.killed || e.code != 0 {
			w.crash(m, e.text)
		}
		return
	case m.output.panicked: // no fault excuses that, not even a kill that came before the last word
		w.crash(m, e.text)
		return
	case e.killed:
		w.at(max(w.now+1_000_000, m.cond.downUntil), func() { s.revive(m) })
		return
	case !m.cond.excuses(e, w.now):
		w.crash(m, e.text)
		return
	case m.cond.lost == rotten && w.tookPart(m):
		w.violate("%s: it took part with flipped bits on its disk, and then died of them: %s", m.name, strings.Join(m.output.last, " | "))
		return
	}
	w.counts.Refusals++
	if m.cond.lost == rotten {
		w.reached(probeRotFound)
	}
	w.tell(m.name, "excused", "because of "+m.cond.excuse)
	if m.cond.lost != "" {
		m.cond.downUntil = 1 << 62 // an operator would take it out of the cluster
		return
	}
	m.cond.downUntil = w.now + restartPause
	w.at(m.cond.downUntil, func() { s.revive(m) })
}

// tookPart tells whether the machine's last process got as far as having a role.
func (w *world) tookPart(m *machine) bool {
	for i := len(w.roles) - 1; i >= 0; i-- {
		if r := &w.roles[i]; r.Member == m.name {
			return r.Life == m.incarnation
		}
	}
	return false
}

// calm ends phase one.
func (s *scenario) calm() {
	s.w.tell("all", "calm", "phase two: no faults from here on")
	s.mend()
}

// mend undoes whatever was done; whoever is down comes back.
func (s *scenario) mend() {
	s.nemesis.healAll()
	for _, m := range s.members {
		m.cond.heal()
		s.powerOn(m) // of a lost member, the machine: who dials it is refused
		m.cond.downUntil = min(m.cond.downUntil, s.w.now)
		if m.cond.lost == "" || m.incarnation == 0 {
			s.revive(m)
		}
	}
}

// up counts the members that run, are not paused and have not been destroyed.
func (s *scenario) up() int {
	n := 0
	for _, m := range s.members {
		if m.proc != nil && !m.proc.doomed && m.cond.lost == "" && m.cond.pausedUntil <= s.w.now && m.cond.hungUntil <= s.w.now {
			n++
		}
	}
	return n
}
