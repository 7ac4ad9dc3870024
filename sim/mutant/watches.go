package mutant

import "holdfast/sim/patch"

var watches = []Mutant{
	{
		ID:    "M52",
		Fault: "a stream loses an event that comes while the one before it still waits to be sent",
		Known: "our own; etcd#17529 lost events of starved streams",
		Edits: []patch.Edit{{
			File: "kernel/replica/watcher.go",
			Old:  "	} else {\n		w.queue = append(w.queue, n)\n		w.ended = !w.stream\n	}\n",
			New:  "	} else if len(w.queue) == 0 {\n		w.queue = append(w.queue, n)\n		w.ended = !w.stream\n	}\n",
		}},
	},
	{
		ID:    "M57",
		Fault: "of several entries that are applied at once, watchers hear of the last one only",
		Known: "our own, against a member that catches up under parked watches",
		Edits: []patch.Edit{{
			File: "kernel/replica/fsm.go",
			Old:  "			events = append(events, done.Events...)\n",
			New:  "			events = done.Events\n",
		}},
	},
	{
		ID:    "M58",
		Fault: "watches stay parked while a snapshot is installed, and never see what happened in between",
		Known: "our own; etcd#15271, etcd#20221 are watches across snapshots",
		Edits: []patch.Edit{{
			File: "kernel/replica/fsm.go",
			Old:  "	f.r.hub.endAll(false)\n",
			New:  "",
		}},
	},
	{
		ID:    "M60",
		Fault: "a watch begins one event too early: what was just applied, and is still on its way to watchers, it gets again",
		Known: "our own; etcd#17247 was an event told twice",
		Edits: []patch.Edit{{
			File: "kernel/replica/replica.go",
			Old:  "since: s.kernel.Index() + 1,\n",
			New:  "since: s.kernel.Index(),\n",
		}},
	},
	{
		ID:    "M61",
		Fault: "the X-Raft-Index of a change is not its own entry's, but that of the last one that its member has applied by then",
		Known: "our own, against what headers say",
		Edits: []patch.Edit{{
			File: "httpd/keys.go",
			Old:  "	setIndices(&ctx.Response.Header, e.Index, a.LogIndex, a.Term)\n",
			New:  "	setIndices(&ctx.Response.Header, e.Index, s.replica.Status().Applied, a.Term)\n",
		}},
	},
	{
		ID:    "M62",
		Fault: "a snapshot leaves out the older half of the ring: whoever took its state from it refuses watches that it should serve",
		Known: "our own; etcd#19179 missed an event at the compacted revision",
		Edits: []patch.Edit{{
			File: "kernel/snapshot.go",
			Old:  "events: s.ring.list(), members",
			New:  "events: s.ring.list()[len(s.ring.events)/2:], members",
		}},
	},
}
