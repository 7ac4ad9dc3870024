package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A closed listener gives back its own place in the table and those of the connections that nobody accepted.
func TestClosedListenerFreesItsBacklog(t *testing.T) {
	p := loneProcess()
	l := &socket{state: listening, port: 7}
	waits := &socket{state: established, port: 7}
	require.True(t, p.sockets.add(p, l))
	require.True(t, p.sockets.add(p, waits))
	l.waiting = append(l.waiting, waits)
	l.close(0)
	assert.Zero(t, p.sockets.open)
	assert.Nil(t, p.sockets.get(waits.id))
}
