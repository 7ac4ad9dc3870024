package sim

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The holder of a baton moves only while it is lent, from where it gave it back, and ends when it is stopped.
func TestBaton(t *testing.T) {
	var did []string
	var b *baton
	b = newBaton(func() {
		did = append(did, "one")
		assert.True(t, b.giveBack())
		did = append(did, "two")
		assert.False(t, b.giveBack())
		did = append(did, "end")
	})
	assert.Empty(t, did)
	b.lend()
	assert.Equal(t, []string{"one"}, did)
	b.lend()
	assert.Equal(t, []string{"one", "two"}, did)
	b.stop()
	assert.Equal(t, []string{"one", "two", "end"}, did)
}

// A turn that does not end, as a wasm loop without a host call, cannot keep the wall time from ending the run.
func TestWallTimeInATurnThatDoesNotEnd(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	w := &world{ctx: ctx, engine: &Engine{}}
	stuck, entered := make(chan struct{}), make(chan struct{})
	w.at(1, func() {
		close(entered)
		<-stuck
	})
	go func() {
		<-entered
		cancel(ErrWallTime)
	}()
	began := time.Now()
	err := w.run(2, func() bool { return false })
	assert.True(t, errors.Is(err, ErrWallTime))
	assert.GreaterOrEqual(t, time.Since(began), lostAfter)
	assert.True(t, w.engine.lost)
	require.NoError(t, w.close(), "nothing may be freed under its feet")
	close(stuck)
}
