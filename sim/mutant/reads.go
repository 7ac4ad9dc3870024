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
			return err
		}
`,
			New: `		if n := rr.r.node(); n.await(n.VerifyLeader()) != nil {
			return ErrNoLeader
		}
`,
		}},
	},
}
