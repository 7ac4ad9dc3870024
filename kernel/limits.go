package kernel

// Every size that an entry or a snapshot may ask for is bounded here. The
// limits are checked twice: when a command is encoded, so that a client hears
// of it, and when one is decoded, so that a damaged or hostile entry can
// neither panic a member nor make it allocate without bound.
const (
	// MaxPathBytes bounds a canonical path ("/a/b"), in bytes.
	MaxPathBytes = 16 << 10
	// MaxDepth bounds the number of names in a path.
	MaxDepth = 512
	// MaxValueBytes bounds a value and a value to compare with, in bytes.
	MaxValueBytes = 1 << 20
	// MaxTTLSeconds bounds a time to live: 100 years. More would run over the
	// range of an RFC 3339 year long before it ran over int64 nanoseconds.
	MaxTTLSeconds = 100 * 365 * 24 * 3600
	// MaxCommandBytes bounds one encoded command: the longest is a compare.
	MaxCommandBytes = MaxPathBytes + 2*MaxValueBytes + 256
	// MaxCommandsPerEntry bounds how many commands one entry folds together.
	MaxCommandsPerEntry = 4096
	// maxKeptCommands bounds for how many commands memory is kept.
	maxKeptCommands = 1024
	// MaxEntryBytes bounds an encoded entry: the batcher seals before it.
	MaxEntryBytes = 4 << 20
	// MaxExpirePerCommand bounds the nodes that one expire command removes
	// (a directory that expires counts once, whatever it holds).
	MaxExpirePerCommand = 1000
	// DefaultHistoryEvents is the length of the event ring, as in etcd.
	DefaultHistoryEvents = 1000
	// MinHistoryEvents and MaxHistoryEvents bound the ring when it is set.
	MinHistoryEvents = 1
	MaxHistoryEvents = 1 << 20
	// MaxMembers bounds the table of members.
	MaxMembers = 64
	// MaxRemovedMembers bounds how many removed members' ids are remembered.
	MaxRemovedMembers = 1024
	// MaxNameBytes bounds a member's name, the cluster version, and a
	// setting's name and value.
	MaxNameBytes = 256
	// MaxURLs and MaxURLBytes bound a member's lists of addresses.
	MaxURLs     = 16
	MaxURLBytes = 1024
)
