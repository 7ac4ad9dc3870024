package mutant

import "holdfast/sim/patch"

var expiry = []Mutant{
	{
		ID:    "M18",
		Fault: "a follower removes what its own clock says has expired, without waiting for the log to say so",
		Known: "etcd#2508",
		Edits: []patch.Edit{
			{
				File: "kernel/replica/lead.go",
				Old:  "	tick.Stop() // whoever does not lead has nothing to look for\n",
				New:  "",
			},
			{
				File: "kernel/replica/lead.go",
				Old:  "			} else {\n				tick.Stop()\n",
				New:  "			} else {\n",
			},
			{
				File: "kernel/replica/lead.go",
				Old:  "		case <-tick.C:\n",
				New:  "		case <-tick.C:\n			if n.State() != raft.Leader {\n				r.state.expireHere()\n				continue\n			}\n",
			},
			{
				File: "kernel/replica/state.go",
				Old:  "// hashRing remembers ",
				New: `func (s *state) expireHere() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kernel.ExpireHere(kernel.Time(time.Since(s.began)) - kernel.Time(s.changedAt.Load()))
	s.view.Store(nil)
}

// hashRing remembers `,
			},
			{
				File: "kernel/keys.go",
				Old:  "// expire removes what is due, ",
				New: `// ExpireHere drops what is due so much later.
func (s *State) ExpireHere(later Time) {
	for {
		d, ok := s.deadlines.Min()
		if !ok || d.at > s.clock.now+later {
			return
		}
		for _, n := range append(s.below(d.path), s.tree.get(d.path)) {
			s.drop(n)
		}
	}
}

// expire removes what is due, `,
			},
		},
	},
	{
		ID:    "M19",
		Fault: "a leader measures the age of its reign with the wall clock: a step forward expires what still had time to live",
		Known: "etcd#6700, etcd#2927",
		Edits: []patch.Edit{{
			File: "kernel/replica/batcher.go",
			Old:  "	elapsed := kernel.Time(time.Since(g.sealed))\n",
			New:  "	elapsed := kernel.Time(time.Now().UnixNano() - g.sealed.UnixNano())\n",
		}},
	},
	{
		ID:    "M28",
		Fault: "a directory that is removed, by a client or by its time to live, does not wake those who watch below it",
		Known: "the clause about a removed directory in etcd's v2 watcher hub",
		Edits: []patch.Edit{{
			File: "kernel/event.go",
			Old: `	if e.Action.Removes() && e.Node.Dir && Below(path, at) {
		return true
	}
`,
			New: "",
		}},
	},
	{
		ID:    "M37",
		Fault: "what expires at one time is gathered in a map and removed in its order, which is another on each member",
		Known: "cockroachdb/cockroach#7353, rabbitmq/ra#163",
		Edits: []patch.Edit{{
			File: "kernel/keys.go",
			Old: `	for range MaxExpirePerCommand {
		d, ok := s.deadlines.Min()
		if !ok || d.at > s.clock.now {
			return
		}
		ev := s.remove(ActionExpire, s.tree.get(d.path))
`,
			New: `	due := map[string]bool{}
	s.deadlines.Scan(func(d deadline) bool {
		if d.at > s.clock.now || len(due) == MaxExpirePerCommand {
			return false
		}
		due[d.path] = true
		return true
	})
	for path := range due {
		n := s.tree.get(path)
		if n == nil {
			continue
		}
		ev := s.remove(ActionExpire, n)
`,
		}},
	},
	{
		ID:    "M43",
		Fault: "cluster time follows the wall clock of whoever opens a clock session, instead of going on where the last one ended",
		Known: "etcd#6700",
		Edits: []patch.Edit{{
			File: "kernel/time.go",
			Old:  "	c.session, c.base, c.wall = s, c.now, wallUnixNano\n",
			New: `	if c.session.Term != 0 {
		c.now = min(max(c.now, Time(wallUnixNano-c.shown().WallOffset)), maxTime)
	}
	c.session, c.base, c.wall = s, c.now, wallUnixNano
`,
		}},
	},
	{
		ID:    "M51",
		Fault: "the time left that an answer shows stands still: a node is encoded when it is first shown, and kept like that",
		Known: "our own, against what answers say of time",
		Edits: []patch.Edit{
			{
				File: "httpd/json.go",
				Old:  "	if ttl := clock.TTLSeconds(n.Deadline); ttl > 0 {\n",
				New:  "	if ttl := shownTTL(n, clock); ttl > 0 {\n",
			},
			{
				File: "httpd/json.go",
				Old:  "// appendComma separates ",
				New: `var shownTTLs sync.Map

func shownTTL(n *kernel.Node, clock kernel.Clock) int64 {
	ttl, _ := shownTTLs.LoadOrStore(n, clock.TTLSeconds(n.Deadline))
	return ttl.(int64)
}

// appendComma separates `,
			},
			{
				File: "httpd/json.go",
				Old:  "	\"strconv\"\n",
				New:  "	\"strconv\"\n	\"sync\"\n",
			},
		},
	},
}
