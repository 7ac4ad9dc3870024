package raftrpc

import "time"

// The limits of this package, in bytes unless the name says otherwise. Each
// bounds what a peer, honest or not, can make this process hold.
const (
	// MaxFrameBytes is the largest payload of one frame.
	MaxFrameBytes = 32 << 20
	// MaxEntryBytes is the largest raft entry (data and extensions together)
	// that can be replicated. Whoever proposes entries must stay below it: a
	// larger one could be appended by the leader and then never leave it.
	MaxEntryBytes = MaxFrameBytes - 64<<10
	// MaxSnapshotBytes is the largest snapshot that can be installed.
	MaxSnapshotBytes = 16 << 30

	// appendSoftBytes is where a request to append stops taking further
	// entries. raft counts entries, and ours are batches of very different
	// sizes; without a limit in bytes one request could block its connection
	// for seconds. The first entry always goes, whatever its size.
	appendSoftBytes = 4 << 20
	// maxEntries is the number of entries in one request, raft's own bound on
	// MaxAppendEntries.
	maxEntries = 1024
	// maxNameBytes bounds one server ID or one address.
	maxNameBytes = 512
	// maxPeersBytes bounds the deprecated lists of peers, empty in practice.
	maxPeersBytes = 4 << 10
	// maxConfigurationBytes bounds an encoded membership.
	maxConfigurationBytes = 256 << 10
	// maxSmallBytes is the largest payload of everything that is neither
	// entries nor a snapshot.
	maxSmallBytes = 8 << 10
	// maxErrorBytes is where the text of an error is cut before it is sent.
	maxErrorBytes = 1 << 10
	// chunkBytes is the size of every chunk of a snapshot but the last, which
	// with the progress timeout makes a lower bound on the sender's speed.
	chunkBytes = 256 << 10
	// growBytes is what a frame is given before any of it has arrived; the
	// buffer then doubles as bytes come in, so that a claim alone costs little.
	growBytes = 256 << 10
	// maxInboundBytes bounds the payloads held for all inbound connections
	// together.
	maxInboundBytes = 256 << 20
	// keepBufferBytes is the largest outgoing buffer kept for reuse.
	keepBufferBytes = 1 << 20

	// maxInboundConns is the number of inbound connections; a further one is
	// closed. A peer in good health holds three.
	maxInboundConns = 128
	// maxIdleConns is the number of idle outbound connections kept.
	maxIdleConns = 64
	// maxTrackedPeers is the number of followers statistics are kept of.
	maxTrackedPeers = 256

	// answerTimeout bounds writing an answer.
	answerTimeout = 10 * time.Second
	// dialTimeout bounds opening a connection, within the RPC's own timeout.
	dialTimeout = 3 * time.Second
	// maxPatience bounds how long an RPC may wait here for raft to take it.
	maxPatience = time.Minute
	// bytesPerSecond is the slowest link timeouts make allowance for.
	bytesPerSecond = 1 << 20
	// logEvery is the shortest time between two lines about bad peers.
	logEvery = time.Second
	// acceptBackoffMin and acceptBackoffMax bound the pause after an error of
	// the listener that is not its end.
	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second
)
