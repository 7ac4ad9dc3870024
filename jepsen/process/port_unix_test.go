//go:build unix

package process

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A port that is reserved is given to nobody else: a lock on the same file, by
// whatever program, is refused.
func TestPortsAreReserved(t *testing.T) {
	const port = lastPort + 1 // which no member gets
	ours, err := reserve(port)
	require.NoError(t, err)
	assert.True(t, ours)
	again, err := reserve(port)
	require.NoError(t, err)
	assert.False(t, again)
}
