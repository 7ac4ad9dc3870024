package kernel

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (l *leader) resize(n int) {
	require.Nil(l.t, l.do(Command{Op: OpSetting, Path: SettingHistoryEvents, Value: strconv.Itoa(n)}).Err)
}

func (l *leader) sets(n int) {
	for range n {
		l.must(set("/k", ""))
	}
}

// replayed gives the indices replayed, or the refusal's cause.
func replayed(s *State, since StoreIndex) string {
	list := []StoreIndex{}
	if refused := s.Replay(since, func(e *Event) bool { list = append(list, e.Index); return true }); refused != nil {
		return fmt.Sprintf("%d %s at %d", refused.Code, refused.Cause, refused.Index)
	}
	return fmt.Sprint(list)
}

// TestReplayAtTheEdges: 401 exactly below the oldest event held.
func TestReplayAtTheEdges(t *testing.T) {
	l := newLeader(t)
	assert.Equal(t, "[]", replayed(l.s, 1), "nothing yet")
	l.resize(3)
	l.sets(3)
	assert.Equal(t, "[1 2 3]", replayed(l.s, 1), "just full")
	l.sets(1)
	assert.Equal(t, "401 the requested history has been cleared [2/1] at 4", replayed(l.s, 1))
	assert.Equal(t, "[2 3 4]", replayed(l.s, 2))
	assert.Equal(t, "[4]", replayed(l.s, 4))
	assert.Equal(t, "[]", replayed(l.s, 5), "the next to come")
	assert.Equal(t, "[]", replayed(l.s, 1<<63), "the far future")
	l.sets(10)
	assert.Equal(t, "[12 13 14]", replayed(l.s, 12), "wrapped several times")
	assert.Equal(t, "401 the requested history has been cleared [12/11] at 14", replayed(l.s, 11))
	assert.Equal(t, "401 the requested history has been cleared [12/0] at 14", replayed(l.s, 0))

	l.must(Command{Op: OpMemberAdd, Member: Member{ID: 1}})
	l.must(withTTL(Command{Op: OpUpdate, Path: "/k", Refresh: true}, 5))
	assert.Equal(t, "[14 15 16]", replayed(l.s, 14), "internal events and refreshes take their places")

	count := 0
	require.Nil(t, l.s.Replay(14, func(*Event) bool { count++; return count < 2 }))
	assert.Equal(t, 2, count, "until f says no")
}

func TestRingResize(t *testing.T) {
	l := newLeader(t)
	l.resize(4)
	l.sets(6)
	l.resize(9)
	assert.Equal(t, "[3 4 5 6]", replayed(l.s, 3), "growing keeps the order of a wrapped ring")
	l.sets(6)
	assert.Equal(t, "[4 5 6 7 8 9 10 11 12]", replayed(l.s, 4))
	l.resize(2)
	assert.Equal(t, "[11 12]", replayed(l.s, 11), "shrinking keeps the newest")
	assert.Equal(t, "401 the requested history has been cleared [11/10] at 12", replayed(l.s, 10))
	l.sets(1)
	assert.Equal(t, "[12 13]", replayed(l.s, 12))
	l.resize(2)
	assert.Equal(t, "[12 13]", replayed(l.s, 12), "the same size again")
	l.resize(1)
	l.sets(2)
	assert.Equal(t, "[15]", replayed(l.s, 15))
	l.resize(3)
	l.sets(1)
	assert.Equal(t, "[15 16]", replayed(l.s, 15))
	checkState(t, l.s)
	assert.Equal(t, "[15 16]", replayed(restored(t, snapshotBytes(t, l.s)), 15))
}

// TestEmptyRing: a state may know no event and yet have an index, as after
// an archive was restored; whoever asks for the past is told so.
func TestEmptyRing(t *testing.T) {
	l := newLeader(t)
	l.sets(5)
	l.s.ring = newRing(4, 6)
	assert.Equal(t, "401 the requested history has been cleared [6/5] at 5", replayed(l.s, 5))
	assert.Equal(t, "[]", replayed(l.s, 6))
	l.resize(2)
	assert.Equal(t, "[]", replayed(l.s, 6))
	l.s = restored(t, snapshotBytes(t, l.s))
	assert.Equal(t, "401 the requested history has been cleared [6/5] at 5", replayed(l.s, 5))
	l.sets(3)
	assert.Equal(t, "[7 8]", replayed(l.s, 7))
	checkState(t, l.s)
}
