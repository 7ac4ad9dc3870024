package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// newMux returns a mux at n1:2380 of a new network.
func newMux(t *testing.T) (*Memory, *Mux) {
	t.Helper()
	m := NewMemory()
	l, err := m.Host("n1").Listen(":2380")
	require.NoError(t, err)
	return m, NewMux(l)
}

func dialRaw(t *testing.T, m *Memory, first ...byte) net.Conn {
	t.Helper()
	c, err := m.Host("n2").Dial(t.Context(), "n1:2380")
	require.NoError(t, err)
	if len(first) > 0 {
		_, err = c.Write(first)
		require.NoError(t, err)
	}
	return c
}

func TestMuxSortsByProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mux := newMux(t)
		defer mux.Close()
		listeners := map[Proto]net.Listener{}
		for _, p := range []Proto{ProtoRaft, ProtoForward, ProtoJoin} {
			listeners[p] = mux.Listener(p)
			require.Equal(t, "n1:2380", listeners[p].Addr().String())
			require.Same(t, listeners[p], mux.Listener(p))
		}
		for _, p := range []Proto{ProtoJoin, ProtoRaft, ProtoForward, ProtoRaft} {
			c, err := DialProto(t.Context(), m.Host("n2"), "n1:2380", p)
			require.NoError(t, err)
			_, err = c.Write([]byte(p.String()))
			require.NoError(t, err)
			c.Close()
			got, err := listeners[p].Accept()
			require.NoError(t, err)
			b, err := io.ReadAll(got)
			require.NoError(t, err)
			require.Equal(t, p.String(), string(b), "the preamble and nothing more is consumed")
			got.Close()
		}
		require.Equal(t, MuxStats{Accepted: 4}, mux.Stats())
	})
}

// The time limit is the preamble's alone: what is passed on has no deadline.
func TestMuxLiftsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mux := newMux(t)
		defer mux.Close()
		raft := mux.Listener(ProtoRaft)
		c, err := DialProto(t.Context(), m.Host("n2"), "n1:2380", ProtoRaft)
		require.NoError(t, err)
		defer c.Close()
		got, err := raft.Accept()
		require.NoError(t, err)
		defer got.Close()
		time.AfterFunc(2*PreambleTimeout, func() { c.Write([]byte{1}) })
		_, err = io.ReadFull(got, make([]byte, 1))
		require.NoError(t, err)
		time.AfterFunc(2*PreambleTimeout, func() { got.Write([]byte{1}) })
		_, err = io.ReadFull(c, make([]byte, 1))
		require.NoError(t, err)
		_, err = c.Write([]byte{1})
		require.NoError(t, err)
	})
}

func TestMuxClosesWhatItCannotPassOn(t *testing.T) {
	good := appendPreamble(nil, ProtoRaft)
	with := func(i int, b byte) []byte {
		p := append([]byte(nil), good...)
		p[i] = b
		return p
	}
	tests := []struct {
		name  string
		first []byte
		want  MuxStats
	}{
		{"http", []byte("GET / HTTP/1.1\r\n\r\n"), MuxStats{Accepted: 1, BadPreamble: 1}},
		{"magic", with(0, 'h'), MuxStats{Accepted: 1, BadPreamble: 1}},
		{"version", with(5, 2), MuxStats{Accepted: 1, BadPreamble: 1}},
		{"reserved", with(7, 1), MuxStats{Accepted: 1, BadPreamble: 1}},
		{"protocol 0", with(4, 0), MuxStats{Accepted: 1, Unserved: 1}},
		{"unknown protocol", with(4, protoEnd), MuxStats{Accepted: 1, Unserved: 1}},
		{"largest protocol", with(4, 255), MuxStats{Accepted: 1, Unserved: 1}},
		{"nobody serves it", with(4, byte(ProtoJoin)), MuxStats{Accepted: 1, Unserved: 1}},
		{"its listener is closed", with(4, byte(ProtoForward)), MuxStats{Accepted: 1, Unserved: 1}},
		{"silent", nil, MuxStats{Accepted: 1, TimedOut: 1}},
		{"half a preamble", good[:3], MuxStats{Accepted: 1, TimedOut: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, mux := newMux(t)
				defer mux.Close()
				mux.Listener(ProtoRaft)
				mux.Listener(ProtoForward).Close()
				c := dialRaw(t, m, tt.first...)
				defer c.Close()
				begin := time.Now()
				_, err := c.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
				require.LessOrEqual(t, time.Since(begin), PreambleTimeout)
				synctest.Wait()
				require.Equal(t, tt.want, mux.Stats())
			})
		})
	}
}

func TestMuxCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mux := newMux(t)
		defer mux.Close()
		dialRaw(t, m, 'H', 'F').Close()
		synctest.Wait()
		require.Equal(t, MuxStats{Accepted: 1, BadPreamble: 1}, mux.Stats())
	})
}

// Any number of silent connections leaves room for one that speaks.
func TestMuxEvictsTheOldestSilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mux := newMux(t)
		defer mux.Close()
		raft := mux.Listener(ProtoRaft)
		const surplus = 5
		var silent []net.Conn
		for range MaxPending + surplus {
			c := dialRaw(t, m)
			defer c.Close()
			silent = append(silent, c)
			synctest.Wait()
		}
		c, err := DialProto(t.Context(), m.Host("n2"), "n1:2380", ProtoRaft)
		require.NoError(t, err)
		defer c.Close()
		got, err := raft.Accept()
		require.NoError(t, err)
		got.Close()
		require.Equal(t, MuxStats{Accepted: MaxPending + surplus + 1, Evicted: surplus + 1, Pending: MaxPending - 1}, mux.Stats())
		for i, c := range silent {
			require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Millisecond)))
			_, err := c.Read(make([]byte, 1))
			require.Equal(t, i <= surplus, errors.Is(err, io.EOF), "connection %d", i)
		}
	})
}

func TestMuxQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mux := newMux(t)
		defer mux.Close()
		raft := mux.Listener(ProtoRaft)
		for range AcceptQueue + 3 {
			c, err := DialProto(t.Context(), m.Host("n2"), "n1:2380", ProtoRaft)
			require.NoError(t, err)
			defer c.Close()
			synctest.Wait()
		}
		require.Equal(t, MuxStats{Accepted: AcceptQueue + 3, QueueFull: 3}, mux.Stats())
		require.NoError(t, raft.Close())
		_, err := raft.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		require.NotSame(t, raft, mux.Listener(ProtoRaft), "a closed listener is replaced")
	})
}

// Close ends what waits: accepts, silent connections, and queued ones.
func TestMuxClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mux := newMux(t)
		raft, join := mux.Listener(ProtoRaft), mux.Listener(ProtoJoin)
		silent := dialRaw(t, m)
		defer silent.Close()
		queued := dialRaw(t, m, appendPreamble(nil, ProtoRaft)...)
		defer queued.Close()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := join.Accept()
			require.ErrorIs(t, err, net.ErrClosed)
		})
		synctest.Wait()
		require.NoError(t, mux.Close())
		require.NoError(t, mux.Close())
		wg.Wait()
		for _, c := range []net.Conn{silent, queued} {
			_, err := c.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
		}
		_, err := raft.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = mux.Listener(ProtoForward).Accept()
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// An error of the listener that is not its end does not end the mux.
func TestMuxSurvivesAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		l, err := m.Host("n1").Listen(":2380")
		require.NoError(t, err)
		mux := NewMux(&flakyListener{Listener: l, failures: 20})
		defer mux.Close()
		raft := mux.Listener(ProtoRaft)
		c, err := DialProto(t.Context(), m.Host("n2"), "n1:2380", ProtoRaft)
		require.NoError(t, err)
		defer c.Close()
		got, err := raft.Accept()
		require.NoError(t, err)
		got.Close()
	})
}

type flakyListener struct {
	net.Listener
	failures int
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

func TestMuxUnknownProtocolPanics(t *testing.T) {
	_, mux := newMux(t)
	defer mux.Close()
	require.Panics(t, func() { mux.Listener(0) })
	require.Panics(t, func() { mux.Listener(protoEnd) })
	require.Equal(t, "n1:2380", mux.Addr().String())
	require.Equal(t, "protocol 9", Proto(9).String())
}

func TestDialProtoFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mux := newMux(t)
		defer mux.Close()
		_, err := DialProto(t.Context(), m.Host("n2"), "n1:1", ProtoRaft)
		require.ErrorIs(t, err, ErrRefused)

		ctx, cancel := context.WithCancel(t.Context())
		nw := stuckNetwork{m.Host("n2")}
		time.AfterFunc(time.Second, cancel)
		_, err = DialProto(ctx, nw, "n1:2380", ProtoRaft)
		require.ErrorContains(t, err, "send the preamble of raft")

		// Not the mux: it closes a connection that stays silent for as long as
		// the dialer tries to write, and either may come first.
		m.HealAll()
		silent, err := m.Host("n1").Listen(":2381")
		require.NoError(t, err)
		defer silent.Close()
		_, err = DialProto(context.Background(), nw, "n1:2381", ProtoRaft)
		requireTimeout(t, err)
	})
}

// stuckNetwork's connections take no bytes.
type stuckNetwork struct{ Network }

func (n stuckNetwork) Dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := n.Network.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	p := c.(*memConn)
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.wr.buf = make([]byte, memoryBuffer)
	p.m.cut[p.wr.link] = true
	return c, nil
}

func FuzzParsePreamble(f *testing.F) {
	f.Add(appendPreamble(nil, ProtoRaft))
	f.Add([]byte("GET / HT"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != preambleBytes {
			return
		}
		p, err := parsePreamble([preambleBytes]byte(b))
		if err != nil {
			require.ErrorIs(t, err, ErrPreamble)
			return
		}
		require.Equal(t, b, appendPreamble(nil, p))
	})
}
