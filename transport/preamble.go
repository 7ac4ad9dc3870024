package transport

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Proto names a protocol spoken on the peer port.
type Proto byte

// The protocols of the peer port. The numbers are on the wire: never reuse one.
const (
	ProtoRaft    Proto = 1 // raft's RPCs, package raftrpc
	ProtoForward Proto = 2 // requests a follower passes on to the leader
	ProtoJoin    Proto = 3 // a new member asking to be let in

	protoEnd = 4
)

// String returns the protocol's name for messages.
func (p Proto) String() string {
	switch p {
	case ProtoRaft:
		return "raft"
	case ProtoForward:
		return "forward"
	case ProtoJoin:
		return "join"
	}
	return fmt.Sprintf("protocol %d", byte(p))
}

const (
	preambleMagic   = "HFST"
	preambleVersion = 1
	preambleBytes   = 8
)

// appendPreamble appends the preamble of p to b.
func appendPreamble(b []byte, p Proto) []byte {
	return append(append(b, preambleMagic...), byte(p), preambleVersion, 0, 0)
}

// parsePreamble returns the protocol a preamble asks for. Its errors wrap
// [ErrPreamble]. A protocol it does not know is not its error.
func parsePreamble(b [preambleBytes]byte) (Proto, error) {
	switch {
	case string(b[:4]) != preambleMagic:
		return 0, fmt.Errorf("preamble: magic % x: %w; is the peer port meant?", b[:4], ErrPreamble)
	case b[5] != preambleVersion:
		return 0, fmt.Errorf("preamble: version %d: %w; this build speaks version %d", b[5], ErrPreamble, preambleVersion)
	case b[6] != 0 || b[7] != 0:
		return 0, fmt.Errorf("preamble: reserved bytes % x: %w; they must be zero", b[6:], ErrPreamble)
	}
	return Proto(b[4]), nil
}

// DialProto opens a connection to the peer port at addr and says that it will
// speak proto. There is no answer to that: a peer that does not serve proto
// closes the connection, which the first read then sees.
func DialProto(ctx context.Context, nw Network, addr string, proto Proto) (net.Conn, error) {
	c, err := nw.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if err := sendPreamble(ctx, c, proto); err != nil {
		c.Close() // the write's error is the one that tells
		return nil, fmt.Errorf("transport: dial %s: send the preamble of %v: %w", addr, proto, err)
	}
	return c, nil
}

func sendPreamble(ctx context.Context, c net.Conn, proto Proto) error {
	// A ctx that is cancelled rather than run out must end the write as well.
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	deadline := time.Now().Add(PreambleTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := c.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.Write(appendPreamble(nil, proto)); err != nil {
		return err
	}
	return c.SetWriteDeadline(time.Time{})
}
