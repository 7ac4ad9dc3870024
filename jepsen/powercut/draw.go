//go:build unix

package powercut

import (
	"math/rand/v2"

	"holdfast/wal/faults"
)

// place is somewhere to cut the power.
type place struct {
	name   string
	weight int
	rule   faults.Rule // Nth is drawn
	most   int         // Nth at most
}

// places are the cuts that are drawn. Most lie between the write of log records
// and their sync: there the log ends in bytes that may or may not survive.
var places = []place{
	{"before a sync of the log", 66, faults.Rule{Op: "sync", Path: "raft/log/0*", Do: faults.Kill}, 60},
	{"after a write of the log", 16, faults.Rule{Op: "append", Do: faults.KillAfter}, 60},
	{"before the sync of a full segment", 4, faults.Rule{Op: "fill", Do: faults.Kill}, 6},
	{"in the first operations", 5, faults.Rule{Do: faults.Kill}, 40},
	{"in a snapshot's files", 4, faults.Rule{Path: "raft/snapshots/*/*", Do: faults.Kill}, 8},
	{"at a snapshot's directory", 3, faults.Rule{Path: "raft/snapshots/*", Do: faults.Kill}, 8},
	{"before a sync of the log's directory", 2, faults.Rule{Op: "syncdir", Path: "raft/log", Do: faults.Kill}, 6},
}

// drawCut draws where the power is cut.
func drawCut(rng *rand.Rand) (faults.Rule, string) {
	total := 0
	for _, p := range places {
		total += p.weight
	}
	at := rng.IntN(total)
	for _, p := range places {
		if at -= p.weight; at < 0 {
			p.rule.Nth = 1 + rng.IntN(p.most)
			return p.rule, p.name
		}
	}
	panic("weights") // at < total
}
