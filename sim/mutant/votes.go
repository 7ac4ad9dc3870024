package mutant

import "holdfast/sim/patch"

var votes = []Mutant{
	{
		ID:    "M05",
		Fault: "term and vote are answered for before they are durable: the rename that puts them in place is not synced",
		Known: "seaweedfs/raft#9, ClickHouse#111454",
		Edits: []patch.Edit{{
			File: "wal/stable.go",
			Old: `	if err := replaceFile(s.path, rec.encode()); err != nil {
		return fmt.Errorf("write stable record: %w", err)
	}
`,
			// The first records are synced: a member without any is refused at its start, which would hide the fault.
			New: `	err := writeSynced(s.path+tmpSuffix, rec.encode())
	if err == nil {
		err = rename(s.path+tmpSuffix, s.path)
	}
	if err == nil && rec.gen <= 2 {
		err = syncDir(filepath.Dir(s.path))
	}
	if err != nil {
		return fmt.Errorf("write stable record: %w", err)
	}
`,
		}},
	},
	{
		ID:    "M06",
		Fault: "the term of a vote is durable before its candidate: a crash in between leaves the new term with an older candidate",
		Known: "hashicorp/raft#661",
		Edits: []patch.Edit{{
			File: "wal/stable.go",
			Old: `	if name == keyLastVoteTerm {
		s.pendingVoteTerm = append([]byte{}, val...)
		return nil
	}
`,
			New: "",
		}},
	},
	{
		ID:    "M07",
		Fault: "the vote is lost where the record of term and vote is rewritten, at each start",
		Known: "RedisLabs/raft 46a6ad0, where a rewritten log forgot term and vote",
		Edits: []patch.Edit{{
			File: "wal/stable.go",
			Old: `	if err := s.put(maps.Clone(s.values)); err != nil {
`,
			New: `	kept := maps.Clone(s.values)
	delete(kept, keyLastVoteTerm)
	delete(kept, keyLastVoteCand)
	if err := s.put(kept); err != nil {
`,
		}},
	},
	{
		ID:    "M08",
		Fault: "heartbeats are handled beside raft's main loop, which may go on as leader in a term that is not its own",
		Known: "hashicorp/raft#695, NuRaft#293",
		Edits: []patch.Edit{
			{
				File: "transport/raftrpc/handle.go",
				Old:  "func (h *handle) SetHeartbeatHandler(func(raft.RPC)) {}\n",
				New:  "func (h *handle) SetHeartbeatHandler(f func(raft.RPC)) { h.fast.Store(&f) }\n",
			},
			{
				File: "transport/raftrpc/handle.go",
				Old:  "	turn chan struct{}\n}\n",
				New:  "	turn chan struct{}\n	fast atomic.Pointer[func(raft.RPC)]\n}\n",
			},
			{
				File: "transport/raftrpc/handle.go",
				Old:  "	\"io\"\n",
				New:  "	\"io\"\n	\"sync/atomic\"\n",
			},
			{
				File: "transport/raftrpc/server.go",
				Old:  "	resp, err := h.dispatch(raft.RPC{Command: rpc.command}, rpc.to.patience)\n",
				New: `	if fast := h.fast.Load(); fast != nil && rpc.class == ClassHeartbeat {
		answered := make(chan raft.RPCResponse, 1)
		(*fast)(raft.RPC{Command: rpc.command, RespChan: answered})
		select {
		case r := <-answered:
			return t.answer(l, f, r.Response, r.Error)
		case <-h.ctx.Done():
			return t.answerError(l, f, ErrNoRaft)
		}
	}
	resp, err := h.dispatch(raft.RPC{Command: rpc.command}, rpc.to.patience)
`,
			},
		},
	},
	{
		ID:    "M39",
		Fault: "a follower refuses the pre-vote of the very member that it takes for the leader",
		Known: "hashicorp/raft#606, PR#605",
		Hard: "Whoever refuses has not heard of its leader, and forgets it an election timeout later at the latest: an election takes " +
			"so much longer, and no promise breaks. It would take a promise of how long the cluster may be without a leader.",
		Edits: []patch.Edit{{
			Module: moduleRaft, File: "raft.go",
			Old: `leaderAddr != "" && leaderAddr != candidate {
		r.logger.Warn("rejecting pre-vote request since we have a leader",
`,
			New: `leaderAddr != "" {
		r.logger.Warn("rejecting pre-vote request since we have a leader",
`,
		}},
	},
}
