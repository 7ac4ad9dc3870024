package transport

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoTCP(t *testing.T) {
	_, err := TCP().Listen(":1")
	require.ErrorIs(t, err, ErrNoTCP)
	_, err = TCP().Dial(t.Context(), "localhost:1")
	require.ErrorIs(t, err, ErrNoTCP)
}
