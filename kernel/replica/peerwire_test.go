package replica

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
)

func TestAnswersCrossTheWire(t *testing.T) {
	event := &kernel.Event{Action: kernel.ActionSet, Index: 9, Node: &kernel.Node{Path: "/a", Value: "v", Created: 9, Modified: 9}}
	for _, want := range []Answer{
		{LogIndex: 3, Term: 2},
		{LogIndex: 3, Term: 2, Result: kernel.Result{Event: event}},
		{LogIndex: 3, Term: 2, Result: kernel.Result{Err: &kernel.Error{Code: 101, Cause: "[a != b]", Index: 7}}},
	} {
		got, err := decodeAnswer(appendAnswer(nil, want))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestTablesCrossTheWire(t *testing.T) {
	want := Table{ClusterID: 7, Standing: Behind, Members: []kernel.Member{{ID: 1, UID: 1, Name: "a", PeerURLs: []string{"http://a:2380"}}}}
	got, err := decodeTable(want.append(nil))
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, b := range [][]byte{nil, {1, 2, 3}, append(make([]byte, 8), 'x'), append(want.append(nil), 0)} {
		_, err := decodeTable(b)
		require.ErrorIs(t, err, errFrame)
	}
}

func TestHostileFrames(t *testing.T) {
	for name, b := range map[string][]byte{
		"a length that promises 4 GiB": {0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"a length below the head":      {0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		_, err := readFrame(bytes.NewReader(b))
		require.ErrorIs(t, err, errFrame, name)
	}
	_, err := readFrame(bytes.NewReader([]byte{0, 0x10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 'x'}))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func FuzzPeerFrames(f *testing.F) {
	f.Add(appendFrame(nil, frame{framePropose, 7, set("/a", "v")}))
	f.Add(appendFrame(nil, frame{frameAnswer, 7, appendAnswer(nil, Answer{LogIndex: 3, Term: 2})}))
	f.Add(appendFrame(nil, frame{frameIndex, 7, appendIndex(nil, 3, 2)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readFrame(bytes.NewReader(b))
		if err != nil {
			return
		}
		require.Equal(t, b[:len(got.body)+frameHeadBytes], appendFrame(nil, got))
		if table, err := decodeTable(got.body); err == nil {
			again, err := decodeTable(table.append(nil))
			require.NoError(t, err)
			require.Equal(t, table, again)
		}
		if a, err := decodeAnswer(got.body); err == nil {
			again, err := decodeAnswer(appendAnswer(nil, a))
			require.NoError(t, err)
			require.Equal(t, a, again)
		}
		if index, term, err := decodeIndex(got.body); err == nil {
			i, tm, err := decodeIndex(appendIndex(nil, index, term))
			require.NoError(t, err)
			require.Equal(t, []uint64{uint64(index), term}, []uint64{uint64(i), tm})
		}
	})
}

// A command that cannot be read never reaches the log, where it would stop
// every member.
func TestUnreadableCommandIsNotProposed(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	before := c.live[lead].node().LastIndex()
	_, err := c.live[(lead+1)%3].Propose(context.Background(), []byte{99, 0, 0, 0})
	require.ErrorIs(t, err, ErrUnreadable)
	require.Equal(t, before, c.live[lead].node().LastIndex())
}
