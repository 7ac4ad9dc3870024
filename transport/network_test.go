package transport

import (
	"bytes"
	"context"
	"io"
	"math/rand"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// networks are the implementations that every test in this file holds to the
// contract of Network, with an address to listen at. TCP joins them where there
// is any.
var networks = map[string]func() (Network, string){
	"memory": func() (Network, string) { return NewMemory().Host("n1"), ":0" },
}

func eachNetwork(t *testing.T, test func(t *testing.T, nw Network, l net.Listener)) {
	for name, make := range networks {
		t.Run(name, func(t *testing.T) {
			nw, addr := make()
			l, err := nw.Listen(addr)
			require.NoError(t, err)
			defer l.Close()
			test(t, nw, l)
		})
	}
}

// connect returns both ends of a connection.
func connect(t *testing.T, nw Network, l net.Listener) (dialled, accepted net.Conn) {
	t.Helper()
	type result struct {
		c   net.Conn
		err error
	}
	got := make(chan result, 1)
	go func() {
		c, err := l.Accept()
		got <- result{c, err}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dialled, err := nw.Dial(ctx, l.Addr().String())
	require.NoError(t, err)
	r := <-got
	require.NoError(t, r.err)
	t.Cleanup(func() { dialled.Close(); r.c.Close() })
	return dialled, r.c
}

// Bytes arrive complete and in order, also when far more is written than any
// buffer holds, in both directions at once, and end with an EOF.
func TestNetworkCarriesBytes(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		a, b := connect(t, nw, l)
		want := make([]byte, 3<<20)
		rand.New(rand.NewSource(1)).Read(want)
		echoed := make(chan error, 1)
		go func() {
			_, err := io.Copy(b, b)
			b.Close()
			echoed <- err
		}()
		sent := make(chan error, 1)
		go func() {
			_, err := a.Write(want)
			sent <- err
		}()
		got := make([]byte, len(want))
		_, err := io.ReadFull(a, got)
		require.NoError(t, err)
		require.NoError(t, <-sent)
		require.True(t, bytes.Equal(want, got))
		a.Close()
		require.NoError(t, <-echoed)
	})
}

func TestNetworkEndOfFileAfterTheLastByte(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		a, b := connect(t, nw, l)
		_, err := a.Write([]byte("last words"))
		require.NoError(t, err)
		require.NoError(t, a.Close())
		got, err := io.ReadAll(b)
		require.NoError(t, err)
		require.Equal(t, "last words", string(got))
	})
}

func TestNetworkDeadlines(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		a, _ := connect(t, nw, l)
		soon := func() time.Time { return time.Now().Add(20 * time.Millisecond) }

		require.NoError(t, a.SetReadDeadline(soon()))
		_, err := a.Read(make([]byte, 1))
		requireTimeout(t, err)

		require.NoError(t, a.SetWriteDeadline(soon()))
		block := make([]byte, 1<<20)
		for err = nil; err == nil; { // nobody reads: the buffers fill up
			_, err = a.Write(block)
		}
		requireTimeout(t, err)

		require.NoError(t, a.SetReadDeadline(time.Now().Add(-time.Hour)))
		_, err = a.Read(make([]byte, 1))
		requireTimeout(t, err)
	})
}

func requireTimeout(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	var ne net.Error
	require.ErrorAs(t, err, &ne)
	require.True(t, ne.Timeout())
}

// A deadline set or lifted while a read waits applies to that read.
func TestNetworkDeadlineReachesAWaitingRead(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		a, b := connect(t, nw, l)
		failed := make(chan error, 1)
		go func() {
			_, err := a.Read(make([]byte, 1))
			failed <- err
		}()
		require.NoError(t, a.SetReadDeadline(time.Now()))
		requireTimeout(t, <-failed)

		require.NoError(t, a.SetReadDeadline(time.Time{}))
		_, err := b.Write([]byte{7})
		require.NoError(t, err)
		var one [1]byte
		_, err = io.ReadFull(a, one[:])
		require.NoError(t, err)
		require.Equal(t, byte(7), one[0])
	})
}

func TestNetworkCloseUnblocksARead(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		a, _ := connect(t, nw, l)
		failed := make(chan error, 1)
		go func() {
			_, err := a.Read(make([]byte, 1))
			failed <- err
		}()
		require.NoError(t, a.Close())
		require.ErrorIs(t, <-failed, net.ErrClosed)
		_, err := a.Write([]byte{1})
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, a.SetDeadline(time.Now()), net.ErrClosed)
		require.ErrorIs(t, a.Close(), net.ErrClosed)
	})
}

// Writing to an end that is gone fails, sooner or later.
func TestNetworkWriteAfterThePeerClosed(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		a, b := connect(t, nw, l)
		require.NoError(t, b.Close())
		require.NoError(t, a.SetWriteDeadline(time.Now().Add(10*time.Second)))
		var err error
		for err == nil {
			_, err = a.Write(make([]byte, 4<<10))
		}
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	})
}

func TestNetworkListenerClose(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		addr := l.Addr().String()
		failed := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			failed <- err
		}()
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-failed, net.ErrClosed)
		_, err := nw.Dial(context.Background(), addr)
		require.ErrorContains(t, err, "dial "+addr)
	})
}

func TestNetworkAddressTaken(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		_, err := nw.Listen(l.Addr().String())
		require.ErrorContains(t, err, "address already in use")
	})
}

func TestNetworkBadAddresses(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		for _, addr := range []string{"", "nowhere", "n1:99999", "n1:x"} {
			if addr != "" { // for TCP, "" means any port of any address
				_, err := nw.Listen(addr)
				require.Error(t, err, addr)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := nw.Dial(ctx, addr)
			cancel()
			require.Error(t, err, addr)
		}
	})
}

func TestNetworkDialWithAnEndedContext(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := nw.Dial(ctx, l.Addr().String())
		require.Error(t, err)
	})
}

// What is written without waiting arrives as what is written otherwise; who does
// not read stops it, and it does not wait for him.
func TestNetworkTryWrite(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		a, b := connect(t, nw, l)
		try := NewTryWriter(a)
		n, err := try.TryWrite([]byte("first"))
		require.NoError(t, err)
		require.Equal(t, 5, n)
		sent, block := 5, bytes.Repeat([]byte("x"), 64<<10)
		for full := 0; full < 10; { // a kernel may find room after a while
			n, err := try.TryWrite(block)
			require.NoError(t, err)
			if sent += n; n < len(block) {
				full++
			}
		}
		got := make([]byte, sent)
		_, err = io.ReadFull(b, got)
		require.NoError(t, err)
		require.Equal(t, "firstx", string(got[:6]))
		require.Empty(t, bytes.Trim(got[5:], "x"))

		require.NoError(t, a.Close())
		_, err = try.TryWrite(block)
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// To an end that is gone nothing is written without an error for ever.
func TestNetworkTryWriteAfterThePeerClosed(t *testing.T) {
	eachNetwork(t, func(t *testing.T, nw Network, l net.Listener) {
		a, b := connect(t, nw, l)
		require.NoError(t, b.Close())
		try := NewTryWriter(a)
		require.Eventually(t, func() bool {
			_, err := try.TryWrite(make([]byte, 4<<10))
			return err != nil
		}, 10*time.Second, time.Millisecond)
	})
}

// A connection of which nothing is known takes nothing.
func TestTryWriteToAnyConnection(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	n, err := NewTryWriter(near).TryWrite([]byte{1})
	require.NoError(t, err)
	require.Zero(t, n)
}
