package raftrpc

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		for i := range 3 {
			_, err := p.append(heartbeat(1))
			require.NoError(t, err)
			_, err = p.append(entries(1, uint64(i), "0123456789"))
			require.NoError(t, err)
			time.Sleep(100 * time.Millisecond)
		}
		require.NoError(t, p.h.RequestVote("s2", "s2:2380", &raft.RequestVoteRequest{Term: 1}, new(raft.RequestVoteResponse)))

		synctest.Wait() // the vote's connection is closed
		sent, received := p.caller.Stats(), p.called.Stats()
		for class, n := range map[Class]uint64{ClassHeartbeat: 3, ClassAppend: 3, ClassVote: 1, ClassInstall: 0} {
			require.Equal(t, n, sent.Traffic[class].SentRequests, class)
			require.Equal(t, n, received.Traffic[class].ReceivedRequests, class)
			require.Equal(t, sent.Traffic[class].SentBytes, received.Traffic[class].ReceivedBytes, class)
			require.Zero(t, sent.Traffic[class].ReceivedRequests, class)
		}
		frame := rawFrame(kindAppend, 1, appendAppendRequest(nil, envelope{"s2", DefaultAppendTimeout}, entries(1, 0, "0123456789")))
		require.InDelta(t, 3*len(frame), sent.Traffic[ClassAppend].SentBytes, 4)
		// Three requests, 200 ms from the first to the last, as etcd counts.
		require.InDelta(t, 15, sent.SendAppend.RequestsPerSecond, 0.001)
		require.InDelta(t, float64(sent.Traffic[ClassAppend].SentBytes)/0.2, sent.SendAppend.BytesPerSecond, 0.001)
		require.Equal(t, sent.SendAppend, received.RecvAppend)
		require.Zero(t, sent.RecvAppend)
		require.Equal(t, 2, received.Connections)

		time.Sleep(2 * time.Second)
		require.Zero(t, p.caller.Stats().SendAppend)
		require.Equal(t, sent.Traffic, p.caller.Stats().Traffic, "asking changes no counter")
	})
}

// Round trips as they were, against the formulas.
func TestPeerStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := time.Duration(0)
		var fail error
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			time.Sleep(took)
			if fail != nil {
				return nil, fail
			}
			return agree(rpc)
		})
		require.Empty(t, p.caller.PeerStats())
		for _, took = range []time.Duration{20 * time.Millisecond, 60 * time.Millisecond, 40 * time.Millisecond} {
			_, err := p.append(entries(1, 0, "a"))
			require.NoError(t, err)
			_, err = p.append(heartbeat(1))
			require.NoError(t, err, "not counted")
		}
		fail = errors.New("no")
		_, err := p.append(entries(1, 0, "a"))
		require.Error(t, err)

		all := p.caller.PeerStats()
		require.Len(t, all, 1)
		require.Equal(t, raft.ServerID("s2"), all[0].ID)
		require.EqualValues(t, 3, all[0].Success)
		require.EqualValues(t, 1, all[0].Fail)
		l := all[0].Latency
		require.InDelta(t, 0.040, l.Current, 1e-6)
		require.InDelta(t, 0.040, l.Average, 1e-6)
		require.InDelta(t, 0.020, l.Minimum, 1e-6)
		require.InDelta(t, 0.060, l.Maximum, 1e-6)
		require.InDelta(t, math.Sqrt(0.0008/3), l.StandardDeviation, 1e-6)
	})
}

func TestPeersAreSortedAndBounded(t *testing.T) {
	var table peerTable
	for i := range maxTrackedPeers + 10 {
		table.record(raft.ServerID(fmt.Sprintf("s%03d", i*7%1000)), time.Millisecond, i%2 == 0)
	}
	all := table.snapshot()
	require.Len(t, all, maxTrackedPeers)
	for i := 1; i < len(all); i++ {
		require.Less(t, all[i-1].ID, all[i].ID)
	}
}

// The ring against a plain list of the last 200.
func TestRateAgainstAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type request struct {
			at    time.Time
			bytes int
		}
		var w rateWindow
		var list []request
		now := time.Unix(1000, 0)
		for range rapid.IntRange(0, 500).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "ms")) * time.Millisecond)
			bytes := rapid.IntRange(0, 1000).Draw(t, "bytes")
			w.add(now, bytes)
			list = append(list, request{now, bytes})
			list = list[max(0, len(list)-200):]
		}
		now = now.Add(time.Duration(rapid.IntRange(0, 1200).Draw(t, "later")) * time.Millisecond)
		var want Rate
		if n := len(list); n > 0 && now.Sub(list[n-1].at) <= time.Second {
			if span := list[n-1].at.Sub(list[0].at).Seconds(); span > 0 {
				sum := 0
				for _, r := range list {
					sum += r.bytes
				}
				want = Rate{float64(n) / span, float64(sum) / span}
			}
		}
		require.Equal(t, want, w.rate(now))
	})
}

func TestClassNames(t *testing.T) {
	require.Equal(t, "heartbeat append vote install unknown class",
		fmt.Sprint(ClassHeartbeat, " ", ClassAppend, " ", ClassVote, " ", ClassInstall, " ", Class(9)))
}
