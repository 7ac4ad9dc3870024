package raftrpc

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// The timeouts a [Config] without its own gets.
const (
	// DefaultHeartbeatTimeout is twice the heartbeat interval the daemon runs
	// raft with (500 ms).
	DefaultHeartbeatTimeout = time.Second
	// DefaultVoteTimeout is one more election timeout than a vote is good for.
	DefaultVoteTimeout = time.Second
	// DefaultAppendTimeout leaves a follower time for a slow fsync.
	DefaultAppendTimeout = 10 * time.Second
	// DefaultInstallProgressTimeout makes 26 KB/s the slowest sender.
	DefaultInstallProgressTimeout = 10 * time.Second
	// DefaultInstallAnswerTimeout leaves the receiver time to restore.
	DefaultInstallAnswerTimeout = time.Minute
	// DefaultIdleTimeout is much longer than any connection in use is idle.
	DefaultIdleTimeout = time.Minute
)

// TermOnly is the type of an entry of which a log store knows the index and the
// term only, because a snapshot ends with it. raft reads the entries of a request
// one by one, and a snapshot may take them from the log meanwhile: such an entry
// is neither sent nor, should a peer send it, taken.
const TermOnly raft.LogType = 255

// Config says what a [Transport] works with. The fields without "default" in
// their comment are required.
type Config struct {
	// LocalID and LocalAddr are this server, as raft's configuration has it.
	LocalID   raft.ServerID
	LocalAddr raft.ServerAddress
	// Listener yields the connections of peers, preamble consumed; the
	// transport owns it.
	Listener net.Listener
	// Dial opens a connection to a peer, preamble sent. It must give up when
	// its context ends.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// AppliedIndex returns the log index up to which the state machine itself
	// has applied, not raft's idea of it, which runs ahead. It is called from
	// any goroutine and must not block.
	AppliedIndex func() uint64
	// Covered returns the last log index, and its term, of the newest snapshot
	// whose state the state machine has taken in; zeros, as by default, if there
	// is none. raft's log store must know the term of that entry, even if it has
	// lost the entry; what it gives then has the type [TermOnly]. It is called from any goroutine, for requests that begin
	// below what is applied.
	Covered func() (index, term uint64)
	// Ended is told who sent the last AppendEntries on an inbound connection when
	// that has ended, whoever ended it; by default nobody is. It is called from
	// the connection's goroutine and must return at once.
	Ended func(peer raft.ServerID)
	// Logf writes a line about a misbehaving peer; by default nobody does.
	Logf func(format string, args ...any)

	// HeartbeatTimeout bounds a heartbeat, dialling included; default
	// [DefaultHeartbeatTimeout].
	HeartbeatTimeout time.Duration
	// VoteTimeout bounds a vote, a pre-vote and a leadership transfer; default
	// [DefaultVoteTimeout].
	VoteTimeout time.Duration
	// AppendTimeout bounds a request with entries, and is extended by a second
	// per MiB; default [DefaultAppendTimeout].
	AppendTimeout time.Duration
	// InstallProgressTimeout bounds each chunk of a snapshot, on either side;
	// default [DefaultInstallProgressTimeout].
	InstallProgressTimeout time.Duration
	// InstallAnswerTimeout bounds the wait for the answer after the last
	// chunk, and is extended by a second per MiB; default
	// [DefaultInstallAnswerTimeout].
	InstallAnswerTimeout time.Duration
	// IdleTimeout is when an inbound connection without a request is closed;
	// outbound ones are not reused after half of it. Default
	// [DefaultIdleTimeout].
	IdleTimeout time.Duration
}

// complete returns c with its defaults, or what is missing.
func (c Config) complete() (Config, error) {
	switch {
	case c.LocalID == "" || len(c.LocalID) > maxNameBytes:
		return c, errors.New("raftrpc: config: LocalID is empty or too long; give the server its ID of at most 512 bytes")
	case c.LocalAddr == "" || len(c.LocalAddr) > maxNameBytes:
		return c, errors.New("raftrpc: config: LocalAddr is empty or too long; give the address peers dial, at most 512 bytes")
	case c.Listener == nil:
		return c, errors.New("raftrpc: config: Listener is missing; pass the mux's listener for raft")
	case c.Dial == nil:
		return c, errors.New("raftrpc: config: Dial is missing; pass a dialer that sends raft's preamble")
	case c.AppliedIndex == nil:
		return c, errors.New("raftrpc: config: AppliedIndex is missing; pass the state machine's own applied index")
	}
	if c.Covered == nil {
		c.Covered = func() (index, term uint64) { return 0, 0 }
	}
	if c.Ended == nil {
		c.Ended = func(raft.ServerID) {}
	}
	if c.Logf == nil {
		c.Logf = func(string, ...any) {}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.HeartbeatTimeout, DefaultHeartbeatTimeout},
		{&c.VoteTimeout, DefaultVoteTimeout},
		{&c.AppendTimeout, DefaultAppendTimeout},
		{&c.InstallProgressTimeout, DefaultInstallProgressTimeout},
		{&c.InstallAnswerTimeout, DefaultInstallAnswerTimeout},
		{&c.IdleTimeout, DefaultIdleTimeout},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return c, nil
}
