package replica

import (
	"time"

	"holdfast/kernel"
)

// Answer is what a proposed command came to.
type Answer struct {
	kernel.Result
	// LogIndex and Term say where in the raft log the command lies, or, if it
	// was refused without an entry, which state refused it.
	LogIndex kernel.LogIndex
	Term     uint64
	// Unlogged tells that it was refused without an entry.
	Unlogged bool
}

// View is the kernel's state at one moment, with the raft term in which this
// member took it.
type View struct {
	*kernel.View
	Term uint64
}

// Status is what a member knows of itself and its cluster.
type Status struct {
	// ID is this member, LeaderID the leader it knows of (0: none),
	// ClusterID the cluster.
	ID, LeaderID, ClusterID uint64
	Name                    string
	// State is "leader", "follower", "candidate" or "stopped".
	State string
	Term  uint64
	// Applied and Commit are log indices.
	Applied, Commit kernel.LogIndex
	// Started is when this member started, LeaderSince when it first saw the
	// present leader lead (zero without a leader).
	Started, LeaderSince time.Time
	// Ready tells whether local reads and writes are served.
	Ready bool
}

// Hashes are the digests of a state at a log index.
type Hashes struct {
	Index   kernel.LogIndex
	History uint64
}
