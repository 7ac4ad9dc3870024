package transport

import (
	"context"
	"net"
)

// Network is everything the replica knows about networks: how to wait for
// connections and how to open one. Raft, forwarding, joining and HTTP all go
// through it, so that one daemon runs unchanged on TCP, inside a test and
// inside the simulator. TLS would be one more implementation that wraps
// another: nothing above this interface would notice.
//
// Connections of every implementation honour deadlines, may be closed from
// any goroutine (which unblocks reads and writes), and deliver bytes reliably
// and in order or fail.
type Network interface {
	// Listen waits for connections at addr, "host:port". Port 0 picks a free
	// port where the network has such a thing; Addr tells which. An empty host
	// means every address of this host.
	Listen(addr string) (net.Listener, error)
	// Dial opens a connection to addr, "host:port". It gives up when ctx ends;
	// a ctx without a deadline may wait as long as the network does.
	Dial(ctx context.Context, addr string) (net.Conn, error)
}
