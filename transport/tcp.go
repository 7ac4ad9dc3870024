//go:build !wasip1

package transport

import (
	"context"
	"fmt"
	"net"
)

// tcpNetwork is the operating system's TCP.
type tcpNetwork struct{}

// TCP returns the operating system's TCP as a [Network]: keep-alive probes
// every 15 seconds so that a vanished peer is noticed on an idle connection,
// and TCP_NODELAY, because a raft message that waits for company is a slower
// commit. It does not encrypt; TLS would be a Network around this one.
//
// Under wasip1 there are no sockets and both methods fail with [ErrNoTCP].
func TCP() Network { return tcpNetwork{} }

func (tcpNetwork) Listen(addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: keepAlive}
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("transport: listen on %s: %w", addr, err)
	}
	return l, nil
}

// Go sets TCP_NODELAY on every TCP connection, accepted or dialled, by itself;
// a test holds it to that.
func (tcpNetwork) Dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: keepAlive}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("transport: dial %s: %w", addr, err)
	}
	return c, nil
}
