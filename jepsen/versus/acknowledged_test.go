package versus

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An attempt that waits holds up none of the later ones, and all have ended when
// the first to succeed is told.
func TestFirstAcknowledged(t *testing.T) {
	var under atomic.Int64
	_, err := firstAcknowledged(t.Context(), time.Millisecond, func(ctx context.Context, n int) error {
		under.Add(1)
		defer under.Add(-1)
		switch n {
		case 0:
			<-ctx.Done()
			return ctx.Err()
		case 1:
			return errors.New("refused")
		}
		return nil
	})
	require.NoError(t, err)
	assert.Zero(t, under.Load())
}

// What ended the search and the last refusal are both told.
func TestNeverAcknowledged(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	refused, gone := errors.New("refused"), errors.New("the process ended")
	_, err := firstAcknowledged(ctx, time.Millisecond, func(_ context.Context, n int) error {
		if n == 3 {
			cancel(gone)
		}
		return refused
	})
	require.ErrorIs(t, err, gone)
	require.ErrorIs(t, err, refused)
}

// No more attempts wait at a time than the limit; when one ends, another begins.
func TestAttemptsAreBounded(t *testing.T) {
	var under, most atomic.Int64
	full := make(chan struct{})
	_, err := firstAcknowledged(t.Context(), time.Microsecond, func(ctx context.Context, n int) error {
		now := under.Add(1)
		defer under.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		switch n {
		case 0:
			<-full
			return errors.New("refused")
		case maxUnderWay - 1:
			// All places are taken. Without the limit, more attempts begin
			// in this time; with it, nothing waits for it.
			<-time.After(20 * time.Millisecond)
			close(full)
		case maxUnderWay:
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	require.NoError(t, err)
	assert.Equal(t, int64(maxUnderWay), most.Load())
}
