package mutant

import "holdfast/sim/patch"

var snapshots = []Mutant{
	{
		ID:    "M14",
		Fault: "an install keeps the log that the snapshot contradicts: the log store does not say that it is one without holes",
		Known: "hashicorp/raft#697, PR#704",
		Edits: []patch.Edit{{
			File: "wal/log.go",
			Old:  "func (l *Log) IsMonotonic() bool { return true }\n",
			New:  "func (l *Log) IsMonotonic() bool { return false }\n",
		}},
	},
	{
		ID:    "M15",
		Fault: "a snapshot that is sent a second time, late, sets a follower back to it",
		Known: "etcd#18055, openraft PR#560; reproduced with hashicorp/raft v1.8.0",
		Edits: []patch.Edit{
			{
				File: "transport/raftrpc/install.go",
				Old:  "	if req.LastLogIndex > h.t.cfg.AppliedIndex() {\n",
				New:  "	if req.LastLogIndex > 0 {\n",
			},
			// This transport sends nothing twice. Now it does, as one that tries again after a lost answer: the same bytes, late.
			{
				File: "transport/raftrpc/install.go",
				Old:  "	err := h.whyEnded(h.sendInstall(id, target, args, resp, data))\n",
				New: `	body, err := io.ReadAll(io.LimitReader(data, args.Size+1))
	if err != nil {
		return err
	}
	again := *args
	time.AfterFunc(time.Duration(500+rand.IntN(2500))*time.Millisecond, func() {
		_ = h.sendInstall(id, target, &again, new(raft.InstallSnapshotResponse), bytes.NewReader(body))
	})
	err = h.whyEnded(h.sendInstall(id, target, args, resp, bytes.NewReader(body)))
`,
			},
			{
				File: "transport/raftrpc/install.go",
				Old:  "import (\n	\"errors\"\n	\"fmt\"\n	\"io\"\n",
				New:  "import (\n	\"bytes\"\n	\"errors\"\n	\"fmt\"\n	\"io\"\n	\"math/rand/v2\"\n",
			},
		},
	},
	{
		ID:    "M16",
		Fault: "a snapshot leaves out the ring of events: who took its state from one has no past to watch from",
		Known: "etcd's v2 store saves its watcher hub (v3.3.27 store.go), etcd#20221",
		Edits: []patch.Edit{{
			File: "kernel/snapshot.go",
			Old:  "events: s.ring.list(), members",
			New:  "members",
		}},
	},
	{
		ID:    "M42",
		Fault: "raft is not built anew after an install below the last index that it believes in, and refuses all entries from then on",
		Known: "hashicorp/raft#697",
		Hard: "A stuck member is freed by the next snapshot beyond its cached index, and with clients writing all the time that comes " +
			"within a second: it shows only in seeds whose clients fall silent when the faults end, with a leader just deposed whose " +
			"log is longer than the snapshot that it is sent. It would take more of those.",
		Edits: []patch.Edit{
			{
				File: "kernel/replica/logstore.go",
				Old:  "emptied: r.logEmptied,",
				New:  "emptied: func() {},",
			},
			// Two entries under way leave a deposed leader so few that were not committed that an install hardly ever ends among them.
			{
				File: "kernel/replica/config.go",
				Old:  "	maxInFlight       = 2\n",
				New:  "	maxInFlight       = 64\n",
			},
		},
	},
}
