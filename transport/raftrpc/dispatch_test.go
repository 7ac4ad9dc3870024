//lint:file-ignore SA1019 raft v1.8.0 itself still sends and reads the fields Leader and Candidate.

package raftrpc

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// Between raft instances RPCs are answered with an error, and the instance
// attached last gets what comes next.
func TestNewInstanceTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, nil)
		_, err := p.append(heartbeat(1))
		require.ErrorContains(t, err, ErrNoRaft.Error(), "none attached yet")

		first := p.called.Raft() // attached, but nobody consumes: shut down already, say
		begin := time.Now()
		failed := make(chan error, 1)
		go func() {
			_, err := p.append(entries(1, 0, "a"))
			failed <- err
		}()
		synctest.Wait()
		second := attachFake(t, p.called, agree)
		require.ErrorContains(t, <-failed, ErrNoRaft.Error())
		require.Zero(t, time.Since(begin), "what waited for the first is answered at once")

		_, err = p.append(entries(1, 0, "a"))
		require.NoError(t, err)
		select {
		case rpc := <-first.Consumer():
			t.Fatalf("the first instance got a %T", rpc.Command)
		default:
		}
		require.ErrorIs(t, first.AppendEntries("s1", "s1:2380", heartbeat(1), new(raft.AppendEntriesResponse)), ErrNoRaft)

		p.called.Retire()
		require.Error(t, second.ctx.Err())
		_, err = p.realHeartbeat(1)
		require.ErrorContains(t, err, ErrNoRaft.Error())
		require.ErrorIs(t, p.called.Deliver(heartbeat(1)), ErrNoRaft)
	})
}

// An older instance's goroutine that still reads its Consumer steals nothing.
func TestOldConsumerStealsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, nil)
		old := p.called.Raft()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case rpc := <-old.Consumer():
				t.Errorf("the old instance got a %T", rpc.Command)
			case <-stop:
			}
		}()
		attachFake(t, p.called, agree)
		for range 50 {
			_, err := p.append(heartbeat(1))
			require.NoError(t, err)
		}
	})
}

// What raft does not take while its sender waits, it never gets.
func TestAbandonedRequestsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := make(chan struct{})
		var got []any
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			got = append(got, rpc.Command)
			<-stalled
			return agree(rpc)
		})
		done := make(chan error, 1)
		go func() {
			_, err := p.append(entries(1, 0, "a"))
			done <- err
		}()
		synctest.Wait()
		for range 5 { // a leader's heartbeats during a stall of the disk
			_, err := p.append(heartbeat(1))
			require.Error(t, err)
		}
		close(stalled)
		require.NoError(t, <-done)
		synctest.Wait()
		require.Len(t, got, 1)
		_, err := p.append(heartbeat(1))
		require.NoError(t, err)
	})
}

// raft would commit its whole log up to the leader's commit index; a request
// vouches only for what it checks and appends.
func TestCommitIndexIsClamped(t *testing.T) {
	tests := []struct {
		prev, commit, want uint64
		data               []string
	}{
		{prev: 0, commit: 0, want: 0},
		{prev: 0, commit: 9, want: 0},
		{prev: 5, commit: 9, want: 5},
		{prev: 5, commit: 3, want: 3},
		{prev: 5, commit: 9, want: 7, data: []string{"six", "seven"}},
		{prev: 5, commit: 7, want: 7, data: []string{"six", "seven"}},
	}
	synctest.Test(t, func(t *testing.T) {
		var got uint64
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			got = rpc.Command.(*raft.AppendEntriesRequest).LeaderCommitIndex
			return agree(rpc)
		})
		for _, tt := range tests {
			req := entries(1, tt.prev, tt.data...)
			req.LeaderCommitIndex = tt.commit
			_, err := p.append(req)
			require.NoError(t, err)
			require.Equal(t, tt.want, got, "%+v", tt)
			require.Equal(t, tt.commit, req.LeaderCommitIndex, "the sender's own is left alone")
		}
	})
}

func TestDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got *raft.AppendEntriesRequest
		answer := func(rpc raft.RPC) (any, error) { return agree(rpc) }
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			got, _ = rpc.Command.(*raft.AppendEntriesRequest)
			return answer(rpc)
		})
		req := entries(3, 7, "a")
		req.LeaderCommitIndex = 8
		require.NoError(t, p.called.Deliver(req))
		require.Equal(t, req, got)

		// A copy: changing the original changes nothing.
		req.Entries[0].Data[0] = 'z'
		req.Leader[0], req.ID[0], req.Addr[0] = 'z', 'z', 'z'
		want := entries(3, 7, "a")
		want.LeaderCommitIndex = 8
		require.Equal(t, want, got)

		got = nil
		unsafe := heartbeat(3) // vouches for nothing
		unsafe.LeaderCommitIndex = 1
		require.ErrorIs(t, p.called.Deliver(unsafe), ErrUnverifiedCommit)
		require.Nil(t, got, "raft never saw it")

		answer = func(raft.RPC) (any, error) { return &raft.AppendEntriesResponse{Term: 4}, nil }
		require.ErrorIs(t, p.called.Deliver(heartbeat(3)), ErrRejected)
		no := errors.New("no")
		answer = func(raft.RPC) (any, error) { return nil, no }
		require.ErrorIs(t, p.called.Deliver(heartbeat(3)), no)
		answer = func(raft.RPC) (any, error) { return "?", nil }
		require.ErrorContains(t, p.called.Deliver(heartbeat(3)), "string")
		require.Zero(t, p.called.Started(), "what is delivered is not sent")
	})
}

func TestDeliverToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, nil)
		p.called.Raft()
		begin := time.Now()
		require.ErrorIs(t, p.called.Deliver(heartbeat(1)), ErrBusy)
		require.Equal(t, maxPatience, time.Since(begin))
		failed := make(chan error)
		go func() { failed <- p.called.Deliver(heartbeat(1)) }()
		synctest.Wait()
		require.NoError(t, p.called.Close())
		require.ErrorIs(t, <-failed, ErrClosed)
	})
}

// Close returns while raft still holds an RPC; its late answer hurts nobody.
func TestCloseDoesNotWaitForRaft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			<-free
			return agree(rpc)
		})
		failed := make(chan error, 1)
		go func() {
			_, err := p.append(entries(1, 0, "a"))
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, p.called.Close())
		require.NoError(t, p.called.Close())
		require.Error(t, <-failed)
		close(free)
		_, err := p.append(heartbeat(1))
		require.Error(t, err)
	})
}

// An answer raft should never give is reported, not sent.
func TestUnexpectedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, func(raft.RPC) (any, error) { return 42, nil })
		_, err := p.append(heartbeat(1))
		require.ErrorContains(t, err, "raft answered with a int")
	})
}
