package transport

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// memPair returns both ends of a connection from n1 to n2.
func memPair(t require.TestingT, m *Memory) (n1, n2 net.Conn, closeAll func()) {
	l, err := m.Host("n2").Listen(":1")
	require.NoError(t, err)
	n1, err = m.Host("n1").Dial(context.Background(), "n2:1")
	require.NoError(t, err)
	n2, err = l.Accept()
	require.NoError(t, err)
	return n1, n2, func() { l.Close(); n1.Close(); n2.Close() }
}

// canRead reports what arrives within a second of the bubble's time.
func canRead(t *testing.T, c net.Conn) string {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Second)))
	b := make([]byte, 100)
	n, err := c.Read(b)
	if err != nil && err != io.EOF {
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	if err == io.EOF {
		return "EOF"
	}
	return string(b[:n])
}

func TestMemoryCut(t *testing.T) {
	tests := []struct {
		name     string
		cut      func(*Memory)
		from, to bool // what still flows: n1 to n2, n2 to n1
		dial     bool
	}{
		{"whole", func(*Memory) {}, true, true, true},
		{"cut", func(m *Memory) { m.Cut("n1", "n2") }, false, false, false},
		{"cut the other way round", func(m *Memory) { m.Cut("n2", "n1") }, false, false, false},
		{"one way", func(m *Memory) { m.CutOneWay("n1", "n2") }, false, true, false},
		{"another link", func(m *Memory) { m.Cut("n1", "n3") }, true, true, true},
		{"healed", func(m *Memory) { m.Cut("n1", "n2"); m.Heal("n2", "n1") }, true, true, true},
		{"another healed", func(m *Memory) { m.Cut("n1", "n2"); m.Heal("n1", "n3") }, false, false, false},
		{"all healed", func(m *Memory) { m.Cut("n1", "n2"); m.CutOneWay("n2", "n1"); m.HealAll() }, true, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := NewMemory()
				n1, n2, closeAll := memPair(t, m)
				defer closeAll()
				tt.cut(m)

				_, err := n1.Write([]byte("to n2"))
				require.NoError(t, err)
				_, err = n2.Write([]byte("to n1"))
				require.NoError(t, err)
				require.Equal(t, tt.from, canRead(t, n2) != "")
				require.Equal(t, tt.to, canRead(t, n1) != "")

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				c, err := m.Host("n1").Dial(ctx, "n2:1")
				if tt.dial {
					require.NoError(t, err)
					c.Close()
				} else {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
			})
		})
	}
}

// Nothing that was sent over a cut link is lost, the end of the connection
// included, and it wakes the reader that waited for it.
func TestMemoryHealDeliversWhatWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		n1, n2, closeAll := memPair(t, m)
		defer closeAll()
		m.Cut("n1", "n2")
		_, err := n1.Write([]byte("late"))
		require.NoError(t, err)
		require.NoError(t, n1.Close())
		require.Empty(t, canRead(t, n2))
		require.NoError(t, n2.SetReadDeadline(time.Time{}))

		got := make(chan string, 1)
		go func() {
			b, _ := io.ReadAll(n2)
			got <- string(b)
		}()
		synctest.Wait()
		require.Empty(t, got)
		m.Heal("n1", "n2")
		require.Equal(t, "late", <-got)
	})
}

// A cut hides the peer's end as well: writers go on into the buffer, then wait.
func TestMemoryCutHidesAClosedPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		n1, n2, closeAll := memPair(t, m)
		defer closeAll()
		m.Cut("n1", "n2")
		require.NoError(t, n2.Close())
		require.NoError(t, n1.SetWriteDeadline(time.Now().Add(time.Second)))
		n, err := n1.Write(make([]byte, 2*memoryBuffer))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, memoryBuffer, n)
		m.HealAll()
		require.NoError(t, n1.SetWriteDeadline(time.Time{}))
		_, err = n1.Write([]byte{1})
		require.ErrorIs(t, err, syscall.EPIPE)
	})
}

func TestMemoryDialWaitsForHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		l, err := m.Host("n2").Listen(":1")
		require.NoError(t, err)
		defer l.Close()
		m.CutOneWay("n2", "n1")
		dialled := make(chan error, 1)
		go func() {
			c, err := m.Host("n1").Dial(t.Context(), "n2:1")
			if err == nil {
				c.Close()
			}
			dialled <- err
		}()
		synctest.Wait()
		require.Empty(t, dialled)
		m.Heal("n1", "n2")
		require.NoError(t, <-dialled)
	})
}

func TestMemoryHosts(t *testing.T) {
	m := NewMemory()
	_, err := m.Host("n1").Listen("n2:1")
	require.ErrorContains(t, err, "host n1 has no address n2")
	l, err := m.Host("n1").Listen("n1:0")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(l.Addr().String(), "n1:3"))
	_, err = m.Host("n2").Dial(context.Background(), "n1:1")
	require.ErrorIs(t, err, ErrRefused)
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	again, err := m.Host("n1").Listen(l.Addr().String())
	require.NoError(t, err, "a closed listener frees its address")
	again.Close()
}

// The queue of a listener that accepts nothing is bounded, and what is in it
// ends with the listener.
func TestMemoryAcceptQueue(t *testing.T) {
	m := NewMemory()
	l, err := m.Host("n2").Listen(":1")
	require.NoError(t, err)
	var first net.Conn
	for i := range AcceptQueue {
		c, err := m.Host("n1").Dial(context.Background(), "n2:1")
		require.NoError(t, err, i)
		defer c.Close()
		if first == nil {
			first = c
		}
	}
	_, err = m.Host("n1").Dial(context.Background(), "n2:1")
	require.ErrorIs(t, err, ErrRefused)
	require.NoError(t, l.Close())
	_, err = first.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// Against a queue of bytes: whatever is written, cut, healed and closed, the
// reader gets the same bytes in the same order, and only while the link is up.
func TestMemoryAgainstAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewMemory()
		n1, n2, closeAll := memPair(t, m)
		defer closeAll()
		var sent []byte
		up, closed := true, false
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				b := rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "bytes")
				if closed || len(sent)+len(b) > memoryBuffer {
					return // would fail or wait
				}
				_, err := n1.Write(b)
				require.NoError(t, err)
				sent = append(sent, b...)
			},
			"read": func(t *rapid.T) {
				if !up || len(sent) == 0 && !closed {
					return // would wait
				}
				b := make([]byte, rapid.IntRange(1, 200).Draw(t, "size"))
				n, err := n2.Read(b)
				if len(sent) == 0 {
					require.ErrorIs(t, err, io.EOF)
					return
				}
				require.NoError(t, err)
				require.Equal(t, min(len(b), len(sent)), n)
				require.Equal(t, sent[:n], b[:n])
				sent = sent[n:]
			},
			"cut":  func(*rapid.T) { m.CutOneWay("n1", "n2"); up = false },
			"heal": func(*rapid.T) { m.Heal("n1", "n2"); up = true },
			"close": func(*rapid.T) {
				n1.Close()
				closed = true
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(sent), len(n2.(*memConn).rd.buf))
			},
		})
	})
}
