package httpd

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A link is told a deadline unless the one it has is as good: as late, or
// earlier by no more than the slack.
func TestDeadlineDue(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	for _, row := range []struct {
		name        string
		wanted, set time.Time
		want        bool
	}{
		{"none, and none is set", time.Time{}, time.Time{}, false},
		{"none, but one is set", time.Time{}, at(0), true},
		{"the first", at(0), time.Time{}, true},
		{"the same", at(0), at(0), false},
		{"later by the slack", at(2), at(0), false},
		{"later by more", at(3), at(0), true},
		{"earlier", at(-1), at(0), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := deadline{wanted: row.wanted, set: row.set}
			assert.Equal(t, row.want, d.due(2*time.Second))
		})
	}
}

// told counts what a connection is told.
type told struct {
	net.Conn
	reads, writes, both int
}

func (c *told) Read(p []byte) (int, error)       { return len(p), nil }
func (c *told) Write(p []byte) (int, error)      { return len(p), nil }
func (c *told) SetReadDeadline(time.Time) error  { c.reads++; return nil }
func (c *told) SetWriteDeadline(time.Time) error { c.writes++; return nil }
func (c *told) SetDeadline(time.Time) error      { c.both++; return nil }

// A request costs no deadline of its own, each kind of wait gets its own, and
// who takes the link over finds what was last set.
func TestSessionTellsDeadlines(t *testing.T) {
	bare := new(told)
	c := &session{link: &link{Conn: bare, server: &Server{deadlineSlack: time.Second}}}
	var b [1]byte
	now := time.Unix(1000, 0)
	request := func(idle time.Duration) {
		require.NoError(t, c.SetReadDeadline(now.Add(idle)))
		_, err := c.Read(b[:])
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(now.Add(10*time.Second))) // the head's, which has all come
		require.NoError(t, c.SetWriteDeadline(now.Add(30*time.Second)))
		_, err = c.Write(b[:])
		require.NoError(t, err)
		now = now.Add(time.Millisecond)
	}
	for range 100 {
		request(5 * time.Minute)
	}
	assert.Equal(t, told{reads: 1, writes: 1}, *bare)

	_, err := c.Read(b[:]) // more of a head
	require.NoError(t, err)
	assert.Equal(t, 2, bare.reads)
	now = now.Add(time.Minute)
	request(5 * time.Minute)
	assert.Equal(t, told{reads: 3, writes: 2}, *bare)

	require.NoError(t, c.SetDeadline(time.Time{}))
	_, err = c.Read(b[:])
	require.NoError(t, err)
	assert.Equal(t, told{reads: 3, writes: 2, both: 1}, *bare)
}
