package replica

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
	"holdfast/transport"
)

// Defaults of [Config].
const (
	// DefaultElectionTimeout is how long a follower waits for its leader.
	DefaultElectionTimeout = 500 * time.Millisecond
	// DefaultTick is how often a leader expires keys.
	DefaultTick = 500 * time.Millisecond
	// DefaultSnapshotBytes is how much log may gather before a snapshot.
	DefaultSnapshotBytes = 64 << 20
	// DefaultTrailingBytes is how much log is kept behind a snapshot, so that
	// a follower that was away for a moment needs no snapshot.
	DefaultTrailingBytes = 32 << 20
	// DefaultSnapshotEntries is etcd's --snapshot-count.
	DefaultSnapshotEntries = 100_000
	// DefaultSnapshotCheck is how often the two bounds above are looked at.
	DefaultSnapshotCheck = time.Second
)

// Peer is a voter of the first configuration.
type Peer struct {
	ID   uint64 // member id
	Addr string // host:port of its peer port
}

// Config says what a replica is and works with. The fields without "default"
// in their comment are required.
type Config struct {
	// ID is this member's, ClusterID its cluster's; Name is for show.
	ID, ClusterID uint64
	Name          string
	// Dir holds log, stable store and snapshots; it exists.
	Dir string
	// Network reaches the peers; Mux is this member's peer port, which the
	// caller closes after the replica.
	Network transport.Network
	Mux     *transport.Mux
	// Addr is the host:port at which peers reach this member.
	Addr string
	// Voters is the first configuration, written if the log is empty. With
	// none an empty member waits for a leader to bring it one.
	Voters []Peer

	// ElectionTimeout and Tick have defaults above.
	ElectionTimeout, Tick time.Duration
	// SnapshotBytes, TrailingBytes, SnapshotEntries and SnapshotCheck have
	// defaults above.
	SnapshotBytes, TrailingBytes uint64
	SnapshotEntries              uint64
	SnapshotCheck                time.Duration
	// SegmentBytes is the size of a log segment; default: the log's own.
	SegmentBytes int

	// Fatal is told, once, that this member must not go on: its log failed,
	// or it met an entry it cannot read. It should end the process.
	Fatal func(error)
	// Observer, if there is one, is told what this member does as it does it.
	Observer Observer
	// Log takes the lines of raft and of this package; default: discarded.
	Log io.Writer
}

func (c Config) complete() (Config, error) {
	for _, missing := range []struct {
		field string
		is    bool
	}{
		{"ID", c.ID == 0}, {"Dir", c.Dir == ""}, {"Network", c.Network == nil},
		{"Mux", c.Mux == nil}, {"Addr", c.Addr == ""}, {"Fatal", c.Fatal == nil},
	} {
		if missing.is {
			return c, fmt.Errorf("replica: config: %s is missing; set it", missing.field)
		}
	}
	if c.ElectionTimeout <= 0 {
		c.ElectionTimeout = DefaultElectionTimeout
	}
	if c.Tick <= 0 {
		c.Tick = DefaultTick
	}
	if c.SnapshotBytes == 0 {
		c.SnapshotBytes = DefaultSnapshotBytes
	}
	if c.TrailingBytes == 0 {
		c.TrailingBytes = DefaultTrailingBytes
	}
	if c.SnapshotEntries == 0 {
		c.SnapshotEntries = DefaultSnapshotEntries
	}
	if c.SnapshotCheck <= 0 {
		c.SnapshotCheck = DefaultSnapshotCheck
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return c, nil
}

// requestTimeout bounds a request: etcd's five seconds and two elections.
func (c *Config) requestTimeout() time.Duration { return 5*time.Second + 2*c.ElectionTimeout }

func serverID(id uint64) raft.ServerID { return raft.ServerID(strconv.FormatUint(id, 16)) }

func memberID(id raft.ServerID) uint64 {
	v, _ := strconv.ParseUint(string(id), 16, 64)
	return v
}

// maxQueuedCommands and maxQueuedBytes bound what waits for the batcher.
const (
	maxQueuedCommands = 65536
	maxQueuedBytes    = 64 << 20
	maxInFlight       = 2
	// maxBatchBytes keeps an entry well below what one message may carry.
	maxBatchBytes = 1 << 20
)

// worthFollowing commands are an entry of their own behind another on its way,
// measured with three members and 8, 16, 64 and 256 clients that write
// (docs/performance.md); fewer wait for maxFollow at most.
const (
	worthFollowing = 64
	maxFollow      = 5 * time.Millisecond
)

// keptSnapshots is how many snapshots stay on disk: the newest, and one to fall
// back on.
const keptSnapshots = 2

// keptHashes is how many log indices' history hashes a member remembers.
const keptHashes = 4096

// A batch and one more command fit an entry: a negative difference would not
// compile.
const _ = uint(kernel.MaxEntryBytes - maxBatchBytes - kernel.MaxCommandBytes)
