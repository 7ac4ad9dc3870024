package mutant

import "holdfast/sim/patch"

var reads = []Mutant{
	{
		ID:    "M01",
		Fault: "a quorum read is answered by whoever takes itself for the leader, without asking the others",
		Known: "etcd 0.4.1 and Consul 2014 (aphyr.com/posts/316, hashicorp/consul#54)",
		Edits: []patch.Edit{{
			File: "kernel/replica/rounds.go",
			Old:  "	round.count(n.GetConfiguration().Configuration(), serverID(rr.r.cfg.ID))\n",
			New:  "	round.count(n.GetConfiguration().Configuration(), serverID(rr.r.cfg.ID))\n	round.quorum = 0\n",
		}},
	},
	{
		ID:    "M41",
		Fault: "a quorum read is confirmed by raft's VerifyLeader, which counts answers to heartbeats sent before the read",
		Known: "hashicorp/raft v1.8.0, raft.go, verifyLeader; a stale read was reproduced with it",
		Hard: "It takes an answer of a follower that was under way when the read came, a leader that does not notice its fall until " +
			"that answer is there, and no read before the first write that the new leader confirms, for one that waits holds all " +
			"others up: the fault stale-leader, forms 6 and 7, makes them, but somebody must read what was written, through the " +
			"deposed leader, in those moments. It would take more seeds.",
		Edits: []patch.Edit{{
			File: "kernel/replica/rounds.go",
			Old: `		rr.r.node().VerifyLeader()
		if err := rr.settle(round); err != nil {
			if errors.Is(err, ErrNoLeader) {
				rr.r.reached(ProbeReadAcrossElection)
			}
			return err
		}
`,
			New: `		if n := rr.r.node(); n.await(n.VerifyLeader()) != nil {
			rr.r.reached(ProbeReadAcrossElection)
			return errors.Join(ErrNoLeader)
		}
`,
		}},
	},
	{
		ID:    "M50",
		Fault: "a follower answers a write that it forwarded before it has applied it itself",
		Known: "our own, against reading one's own writes through one member",
		Edits: []patch.Edit{{
			File: "kernel/replica/forward.go",
			Old: `	if err := f.r.waitApplied(ctx, a.LogIndex); err != nil {
		// It is applied on a quorum; this member did not hear of it in time.
		return Answer{}, fmt.Errorf("%w (%w)", ErrUnknown, err)
	}
`,
			New: "",
		}},
	},
	{
		ID:    "M55",
		Fault: "a new leader answers quorum reads before an entry of its own term is committed: it may not know of the last commits",
		Known: "our own; Raft dissertation, section 6.4, first step",
		Edits: []patch.Edit{{
			File: "kernel/replica/rounds.go",
			Old:  "	if n.State() != raft.Leader || rr.r.state.term.Load() != round.term {\n",
			New:  "	if n.State() != raft.Leader {\n",
		}},
	},
	{
		ID:    "M56",
		Fault: "a conditional write is refused by the leader's own view alone: one that was deposed refuses by an old state",
		Known: "our own, against refusals without an entry",
		Edits: []patch.Edit{{
			File: "kernel/replica/conditions.go",
			Old: `	if index, alone := b.r.reads.alone(); alone && b.r.state.applied.Load() >= uint64(index) {
		b.refuse(list, index)
		return
	}
`,
			New: `	if b.leads() {
		b.refuse(list, 0)
		return
	}
`,
		}},
	},
	{
		ID:    "M59",
		Fault: "a restarted member serves its own view as soon as it has applied any entry of the leader's term, be it an old one",
		Known: "our own, against local reads that go back",
		Edits: []patch.Edit{{
			File: "kernel/replica/read.go",
			Old:  "id == \"\" || !r.caughtUp() {\n",
			New:  "id == \"\" {\n",
		}},
	},
	{
		ID:    "M63",
		Fault: "a quorum read joins the round that is under way, whose read index may be older than the read",
		Known: "our own; etcd#20418 reused a read index",
		Edits: []patch.Edit{{
			File: "kernel/replica/rounds.go",
			Old:  "	round := rr.next\n	if round == nil {\n		round = &readRound",
			New:  "	round := rr.next\n	if round == nil {\n		round = rr.running\n	}\n	if round == nil {\n		round = &readRound",
		}},
	},
}
