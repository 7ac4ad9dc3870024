package memory

import (
	"context"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Memory is returned when work has become quiet and the gain is worth the cost,
// and not otherwise.
func TestDue(t *testing.T) {
	start := time.Unix(1000, 0)
	base := usage{collections: 5, allocated: 1 << 30, goroutines: 50}
	for _, row := range []struct {
		name  string
		cost  float64       // of the last return
		after time.Duration // that it was
		now   usage
		most  uint64 // goroutines meanwhile
		want  bool
	}{
		{"nothing happened", 0, time.Hour, base, 50, false},
		{"little was allocated", 0, time.Hour, usage{5, 1<<30 + 1<<20, 50, 0}, 50, false},
		{"much was allocated", 0.01, 10 * time.Second, usage{5, 1<<30 + 100<<20, 50, 0}, 50, true},
		{"much, but the heap is being collected", 0.01, 10 * time.Second, usage{6, 1<<30 + 100<<20, 50, 0}, 50, false},
		{"ten thousand clients have left", 0.1, quiet, usage{5, 1 << 30, 50, 0}, 20_000, true},
		{"they are still there", 0.1, quiet, usage{5, 1 << 30, 20_000, 0}, 20_000, false},
		{"some was allocated, a large store", 1, 10 * time.Second, usage{5, 1<<30 + 100<<20, 50, 0}, 50, false},
		{"the same, later", 1, 100 * time.Second, usage{5, 1<<30 + 100<<20, 50, 0}, 50, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var b broker
			b.returned(start, row.cost, base)
			b.most = row.most
			// The look before saw what has been allocated since.
			before := row.now
			before.collections = base.collections
			assert.False(t, b.due(start, before))
			assert.Equal(t, row.want, b.due(start.Add(row.after), row.now))
		})
	}
}

// While there is work nothing is returned, however rarely the heap is collected;
// once it has ended, all that it left is.
func TestNotDueDuringWork(t *testing.T) {
	at, u := time.Unix(1000, 0), usage{collections: 5, allocated: 1 << 30, goroutines: 50}
	var b broker
	b.returned(at, 0, u)
	for range 60 {
		at, u.allocated = at.Add(lookEvery), u.allocated+workBytes
		require.False(t, b.due(at, u))
	}
	require.False(t, b.due(at.Add(lookEvery), u))
	require.True(t, b.due(at.Add(quiet), u))
}

// kept holds what a test allocates until it lets go of it.
var kept [][]byte

// What is let go of is collected soon, though nothing else is allocated.
func TestReturn(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nobody else collects
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Return(ctx)
	}()
	before := look()
	for range 64 {
		kept = append(kept, make([]byte, 1<<20))
	}
	kept = nil
	require.Eventually(t, func() bool { return look().collections >= before.collections+1 }, time.Minute, 10*time.Millisecond)
	cancel()
	<-done
}
