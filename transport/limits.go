package transport

import "time"

// The limits of this package. Each bounds something that a stranger who
// reaches the port could otherwise grow.
const (
	// PreambleTimeout is how long a fresh connection may take to say which
	// protocol it speaks, and how long a dialer may take to get that out.
	PreambleTimeout = 5 * time.Second
	// MaxPending is the number of accepted connections that may be without
	// their preamble at one time. One more closes the oldest: silent strangers
	// then cannot keep peers out, as they would if the newest were refused.
	MaxPending = 64
	// AcceptQueue is the number of connections of one protocol that may wait
	// to be accepted. One more is closed.
	AcceptQueue = 64

	// keepAlive is the interval of TCP's probes on an idle connection.
	keepAlive = 15 * time.Second
	// memoryBuffer is the number of bytes one direction of an in-memory
	// connection holds before its writer waits, a socket buffer's stand-in.
	memoryBuffer = 64 << 10
	// acceptBackoffMin and acceptBackoffMax bound the pause after an error of
	// the listener that is not its end (out of file descriptors, as a rule).
	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second
)
