package wal

import "time"

// Limits of this package, in one place. Each is checked before anything is
// written and again when it is read back.
const (
	// MaxEntryBytes bounds Data plus Extensions of one entry.
	MaxEntryBytes = 16 << 20
	// DefaultSegmentBytes is the size at which a segment is full unless
	// Options say otherwise. The entry that fills it may exceed it.
	// That much memory is held for the last one (see library).
	DefaultSegmentBytes = 4 << 20
	// MaxSegmentBytes bounds Options.SegmentBytes; offsets within a segment
	// are kept in 32 bits.
	MaxSegmentBytes = 1 << 30
	// DefaultCacheBytes bounds the decoded entries kept in memory unless
	// Options say otherwise.
	DefaultCacheBytes = 16 << 20
	// DefaultSyncDeadline is how long a write may take unless Options say
	// otherwise.
	DefaultSyncDeadline = 10 * time.Second

	// MaxStableKeys, MaxStableKeyBytes and MaxStableValueBytes bound the
	// stable record. raft itself uses three keys.
	MaxStableKeys       = 64
	MaxStableKeyBytes   = 256
	MaxStableValueBytes = 64 << 10

	// MaxSnapshotMetaBytes bounds the description of one snapshot, which
	// grows with the number of members only.
	MaxSnapshotMetaBytes = 1 << 20

	// readAheadBytes is how much one read of a segment fetches at least when
	// there is that much: a lagging follower reads entry after entry.
	readAheadBytes = 64 << 10
	// maxReservedBytes bounds the memory that is got ahead for the last segment:
	// a larger one grows from there.
	maxReservedBytes = 8 << 20
	// scratchBytes is the largest encoding buffer kept between batches.
	scratchBytes = 4 << 20
)
