package transport

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Both ends of a TCP connection send at once and probe when idle.
func TestTCPOptions(t *testing.T) {
	l, err := TCP().Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	dialled, accepted := connect(t, TCP(), l)
	for _, c := range []net.Conn{dialled, accepted} {
		raw, err := c.(*net.TCPConn).SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			for name, option := range map[string][2]int{
				"TCP_NODELAY":  {syscall.IPPROTO_TCP, syscall.TCP_NODELAY},
				"SO_KEEPALIVE": {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE},
			} {
				v, err := syscall.GetsockoptInt(int(fd), option[0], option[1])
				require.NoError(t, err)
				require.NotZero(t, v, name)
			}
			idle, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
			require.NoError(t, err)
			require.Equal(t, int(keepAlive.Seconds()), idle)
		}))
	}
}
