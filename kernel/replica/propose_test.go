package replica

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/kernel"
)

// An outcome that comes too late reaches nobody: neither the call that has given
// up, nor the next one.
func TestLateOutcomeReachesNobody(t *testing.T) {
	for range 100 {
		w := newWaiter()
		_, err := w.wait(context.Background(), time.Nanosecond)
		require.ErrorIs(t, err, ErrUnknown)
		next := newWaiter()
		require.NotSame(t, w, next)
		w.finish(Answer{LogIndex: 7}, nil)
		next.finish(Answer{LogIndex: 8}, nil)
		got, err := next.wait(context.Background(), time.Hour)
		require.NoError(t, err)
		require.EqualValues(t, 8, got.LogIndex)
	}
}

// The end of the caller's context ends the wait, with an unknown outcome.
func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := newWaiter().wait(ctx, time.Hour)
	require.ErrorIs(t, err, ErrUnknown)
	require.ErrorIs(t, err, context.Canceled)
}

type outcomes []error

func (o *outcomes) finish(_ Answer, err error) { *o = append(*o, err) }

// An entry's proposals are answered once: by the state machine, for the very
// bytes that raft was given, or else with what raft says.
func TestFlightIsAnsweredOnce(t *testing.T) {
	var got outcomes
	entry := []byte("entry")
	b := newBatcher(&Replica{meters: new(meters)})
	b.flying = []*flight{{entry: entry, proposals: []proposal{{finisher: &got}}}}
	done := &applied{results: make([]kernel.Result, 1), index: 9, term: 2}

	b.applied([]byte("entry"), done) // as long, but another
	assert.Empty(t, got)
	b.applied(entry, done)
	assert.Equal(t, outcomes{nil}, got)
	b.applied(entry, done)
	assert.Len(t, got, 1)
	assert.Empty(t, b.flying)
	assert.Nil(t, b.claim(func(*flight) bool { return true }), "what raft says comes too late")
}
