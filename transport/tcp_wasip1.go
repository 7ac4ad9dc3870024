package transport

import (
	"context"
	"fmt"
	"net"
)

// noTCP stands where TCP would be: WASI preview 1 cannot open sockets.
type noTCP struct{}

// TCP returns a [Network] whose methods fail with [ErrNoTCP].
func TCP() Network { return noTCP{} }

func (noTCP) Listen(addr string) (net.Listener, error) {
	return nil, fmt.Errorf("transport: listen on %s: %w", addr, ErrNoTCP)
}

func (noTCP) Dial(_ context.Context, addr string) (net.Conn, error) {
	return nil, fmt.Errorf("transport: dial %s: %w", addr, ErrNoTCP)
}
