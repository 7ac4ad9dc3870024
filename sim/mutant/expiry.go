package mutant

import "holdfast/sim/patch"

var expiry = []Mutant{
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
}
