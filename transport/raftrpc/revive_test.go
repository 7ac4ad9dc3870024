package raftrpc

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A request for entries from before a peer's silence is given up with the first heartbeat that is answered again; what was
// sent after the silence began, or to somebody else, waits on.
func TestRequestsFromBeforeASilenceAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		request := func(addr string) (*link, net.Conn) {
			near, far := net.Pipe()
			t.Cleanup(func() { near.Close(); far.Close() })
			l := newLink(near)
			l.class, l.addr = ClassAppend, "s2:2380"
			if addr != "" {
				l.addr = "s3:2380"
			}
			p.caller.began(l, time.Now())
			return l, far
		}
		waits := func(c net.Conn) bool {
			_ = c.SetReadDeadline(time.Now().Add(time.Second)) // fails if the pipe is closed, which Read tells, too
			_, err := c.Read(make([]byte, 1))
			var late net.Error
			return errors.As(err, &late) && late.Timeout()
		}
		_, before := request("")
		_, elsewhere := request("s3:2380")
		time.Sleep(time.Second)
		p.caller.heard("s2:2380", time.Now(), errors.New("no answer"))
		time.Sleep(time.Second)
		later, after := request("")
		require.True(t, waits(before), "the peer may merely be slow")
		p.caller.heard("s2:2380", time.Now(), nil)
		require.False(t, waits(before))
		require.True(t, waits(after))
		require.True(t, waits(elsewhere))

		p.caller.heard("s2:2380", time.Now(), nil)
		require.True(t, waits(after), "there was no silence since")

		// Not twice in a row: the next request has its whole time.
		silence := func() {
			time.Sleep(time.Second)
			p.caller.heard("s2:2380", time.Now(), errors.New("no answer"))
			p.caller.heard("s2:2380", time.Now(), nil)
		}
		silence()
		require.True(t, waits(after))
		require.True(t, p.caller.ended(later, time.Now(), nil), "it was left alone")
		require.Len(t, p.caller.busy.links, 1, "what has ended is forgotten")
		last, lost := request("")
		silence()
		require.False(t, waits(lost))
		require.False(t, p.caller.ended(last, time.Now(), nil), "a closed link must not be used again")
	})
}
