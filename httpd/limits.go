package httpd

import "time"

// The bounds on what a client may ask of this package. The bounds on keys,
// values and times to live are kernel's.
const (
	// MaxHeadBytes bounds request line and headers together; more is answered
	// with 431. Each open connection holds a buffer of this size.
	MaxHeadBytes = 16 << 10
	// MaxURIBytes bounds the request line's URI, query included: 414.
	MaxURIBytes = 12 << 10
	// MaxBodyBytes bounds a request body: 413. It holds the largest value
	// with every byte percent-encoded, and as much again as a plain value.
	MaxBodyBytes = 4 << 20

	// DefaultMaxConns bounds the open client connections, parked watches
	// included; one more is answered with 503 and closed.
	DefaultMaxConns = 16384
	// MaxOpsConns bounds those of the ops port, which clients cannot use up.
	MaxOpsConns = 64
	// DefaultHeadTimeout is how long a request's head, and a body that is no
	// longer than a head may be, can take from the first byte (on a new
	// connection: from the accept); DefaultBodyTimeout is how long a longer
	// body can take from then on: 408.
	DefaultHeadTimeout = 10 * time.Second
	DefaultBodyTimeout = 30 * time.Second
	// DefaultIdleTimeout is how long a connection may wait for its next
	// request.
	DefaultIdleTimeout = 5 * time.Minute
	// DefaultWriteTimeout is how long a client may take to accept an answer,
	// or each piece of a long one, before its connection is closed.
	DefaultWriteTimeout = 30 * time.Second
	// listingTimeout bounds a long listing altogether, and what has gathered for a
	// watch: they hold on to a whole state of the store, and to events.
	listingTimeout = 5 * time.Minute

	// MaxSnapshots bounds the archives that are sent to clients at a time; one
	// more is answered with 503. Each holds on to a whole state of the store.
	MaxSnapshots = 2
	// snapshotTimeout bounds one altogether.
	snapshotTimeout = 15 * time.Minute

	// ShutdownTimeout bounds Shutdown, whatever its context allows.
	ShutdownTimeout = 2 * time.Second

	// maxBuffered is how much of a listing is gathered before it is sent in
	// pieces of chunkBytes, so that a recursive listing of everything takes
	// no more memory than a small one.
	maxBuffered = 256 << 10
	chunkBytes  = 32 << 10
	// lengthBytes is the longest body sent with a Content-Length; net/http,
	// and so etcd, sends a longer one chunked.
	lengthBytes = 2048
	// maxPooled is the largest buffer that is kept for reuse.
	maxPooled = 64 << 10
	// maxPipelined bounds what a client may send behind a watch that has not
	// ended; more closes the connection, since its hang-up could no longer be
	// seen.
	maxPipelined = MaxHeadBytes
	// drainTime and drainBytes bound what is still read of a request that was
	// refused before its end.
	drainTime  = time.Second
	drainBytes = 64 << 20
	// acceptPauseMin and acceptPauseMax bound the pause after a listener's
	// error that is not its end.
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
	// idleWorkerTime is how long, and at most twice, the goroutine of a
	// connection that has ended waits for another, its stack with it.
	idleWorkerTime = time.Second
	// aheadBuffer is how much a connection that is watched on can take of the next
	// request in one read; it has grown to a longer one, up to maxPipelined.
	aheadBuffer = 512
	// nextHeadBytes bounds the head of a watch that follows a watch without
	// fasthttp's server; a longer one costs more.
	nextHeadBytes = 4096
)
