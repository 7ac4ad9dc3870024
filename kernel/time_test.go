package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestClusterTime walks the rules by which cluster time moves.
func TestClusterTime(t *testing.T) {
	s := New()
	index := LogIndex(0)
	apply := func(entry []byte) {
		index++
		_, err := s.Apply(index, entry)
		require.NoError(t, err)
	}
	tick := func(session Session, elapsed Time) { apply(AppendBatch(nil, session, elapsed, nil)) }
	first, second, third := Session{Term: 2}, Session{Term: 5}, Session{Term: 5, Restore: 1}

	tick(Session{}, 5)
	assert.EqualValues(t, 0, s.Now(), "before any opening time stands still")
	tick(first, 5)
	assert.EqualValues(t, 0, s.Now(), "a session that was not opened moves nothing")
	apply(AppendOpening(nil, first, 1000))
	assert.Equal(t, first, s.Session())
	tick(first, 10)
	assert.EqualValues(t, 10, s.Now(), "the same session advances")
	tick(first, 4)
	assert.EqualValues(t, 10, s.Now(), "never backwards")
	tick(first, -4)
	assert.EqualValues(t, 10, s.Now(), "a negative span counts as none")
	apply(AppendOpening(nil, second, 500))
	assert.EqualValues(t, 10, s.Now(), "opening keeps the time, whatever the wall clock says")
	assert.Equal(t, Clock{Now: 10, WallOffset: 490}, s.View().Clock)
	tick(first, 99)
	assert.EqualValues(t, 10, s.Now(), "a deposed leader's clock moves nothing")
	tick(second, 7)
	assert.EqualValues(t, 17, s.Now(), "the new session counts from its opening")
	tick(third, 99)
	assert.EqualValues(t, 17, s.Now(), "the restore count belongs to the session")
	apply(AppendOpening(nil, third, 0))
	tick(third, 1)
	assert.EqualValues(t, 18, s.Now())
	apply(AppendOpening(nil, third, 0))
	tick(third, 1)
	assert.EqualValues(t, 18, s.Now(), "a session opened twice counts from its first opening")
	assert.EqualValues(t, 18, restored(t, snapshotBytes(t, s)).Now())
}

// TestTimeIsBounded: no entry can carry cluster time or a deadline over the
// range of int64, or to where a snapshot could not be restored.
func TestTimeIsBounded(t *testing.T) {
	l := newLeader(t)
	l.advance(maxTime / 2)
	l.must(withTTL(set("/a", ""), MaxTTLSeconds))
	assert.Equal(t, maxTime/2, l.s.Now())
	l.open(Session{Term: 2})
	l.advance(maxTime)
	l.must(set("/c", ""))
	assert.Equal(t, maxTime, l.s.Now())
	l.open(Session{Term: 3})
	l.advance(maxTime)
	l.must(withTTL(set("/b", ""), MaxTTLSeconds))
	assert.Equal(t, maxTime, l.s.Now())
	n, _ := l.s.View().Get("/b")
	assert.Equal(t, maxDeadline, n.Deadline)
	assert.EqualValues(t, MaxTTLSeconds, l.s.View().Clock.TTLSeconds(n.Deadline))
	snapshot := snapshotBytes(t, l.s)
	assert.Equal(t, snapshot, snapshotBytes(t, restored(t, snapshot)))

	_, err := New().Apply(1, AppendBatch(nil, Session{Term: 1}, maxTime+1, nil))
	assert.ErrorIs(t, err, ErrMalformed)
	_, err = New().Apply(1, AppendBatch(nil, Session{Term: 1}, math.MaxInt64, nil))
	assert.ErrorIs(t, err, ErrMalformed)
}

func TestTTLSecondsRoundsUp(t *testing.T) {
	for _, test := range []struct {
		deadline Time
		want     int64
	}{{100, 0}, {101, 1}, {100 + Second, 1}, {101 + Second, 2}, {100 + 5*Second, 5}, {99, 0}, {100 - 2*Second, -2}} {
		assert.Equal(t, test.want, Clock{Now: 100}.TTLSeconds(test.deadline), "deadline %d", test.deadline)
	}
	assert.EqualValues(t, 1500, Clock{Now: 100, WallOffset: 1000}.UnixNano(500))
}

// TestExpiry: what is due goes, the longest overdue first and then by path,
// each with an event and an index of its own; parents stay.
func TestExpiry(t *testing.T) {
	l := newLeader(t)
	l.must(withTTL(set("/late", "1"), 3))
	l.must(withTTL(set("/dir/b", "2"), 2))
	l.must(withTTL(set("/dir/a", "3"), 2))
	l.must(withTTL(set("/soon", "4"), 1))
	l.must(withTTL(set("/now", "5"), 0))
	next, ok := l.s.NextDeadline()
	assert.True(t, ok)
	assert.EqualValues(t, 1, next)

	assert.Empty(t, l.expire(0), "a deadline of 0 would mean none: due at the next nanosecond")
	events := l.expire(2 * Second)
	gone := []string{}
	for i, e := range events {
		assert.Equal(t, ActionExpire, e.Action)
		assert.Equal(t, StoreIndex(6+i), e.Index)
		assert.Equal(t, Node{Path: e.Prev.Path, Created: e.Prev.Created, Modified: e.Index}, *e.Node)
		assert.Equal(t, 2*Second, e.Clock.Now)
		gone = append(gone, e.Node.Path)
	}
	assert.Equal(t, []string{"/now", "/soon", "/dir/a", "/dir/b"}, gone)
	assert.Equal(t, "4", events[1].Prev.Value)
	assert.Equal(t, []string{"/dir", "/late"}, paths(l.s.View()))
	next, ok = l.s.NextDeadline()
	assert.True(t, ok)
	assert.Equal(t, 3*Second, next)
	assert.Empty(t, l.expire(Second-1), "not a nanosecond early")
	assert.Len(t, l.expire(1), 1)
	_, ok = l.s.NextDeadline()
	assert.False(t, ok)
	checkState(t, l.s)
}

// TestDirectoryExpiry: a directory takes along what is below it in one event,
// whenever that was due.
func TestDirectoryExpiry(t *testing.T) {
	l := newLeader(t)
	l.must(withTTL(mkdir("/d"), 5))
	l.must(set("/d/forever", ""))
	l.must(withTTL(set("/d/same", ""), 5))
	l.must(withTTL(set("/d/e/later", ""), 50))
	l.must(withTTL(set("/d/sooner", ""), 2))
	assert.Len(t, l.expire(2*Second), 1)
	events := l.expire(3 * Second)
	require.Len(t, events, 1)
	assert.Equal(t, &Node{Path: "/d", Dir: true, Created: 1, Modified: 7}, events[0].Node)
	assert.Equal(t, &Node{Path: "/d", Dir: true, Created: 1, Modified: 1, Deadline: 5 * Second}, events[0].Prev)
	assert.Empty(t, paths(l.s.View()))
	assert.Empty(t, l.expire(100*Second))
	checkState(t, l.s)
}

// TestRefreshAgainstExpiry: in the log's order one of them comes first, and
// the other finds it so.
func TestRefreshAgainstExpiry(t *testing.T) {
	refresh := withTTL(Command{Op: OpUpdate, Path: "/k", Refresh: true}, 10)
	expire := Command{Op: OpExpire}

	l := newLeader(t)
	l.must(withTTL(set("/k", "v"), 1))
	l.advance(Second)
	out := l.batch(expire, refresh)
	assert.Equal(t, &Error{CodeKeyNotFound, "/k", 2}, out.Results[1].Err)

	l = newLeader(t)
	l.must(withTTL(set("/k", "v"), 1))
	l.advance(Second)
	out = l.batch(refresh, expire)
	assert.Nil(t, out.Results[0].Err)
	n, _ := l.s.View().Get("/k")
	assert.Equal(t, 11*Second, n.Deadline, "counted from the time at which the refresh applied")
}

// TestOverdueLives: time alone removes nothing; until the expire command a
// key can be read and written.
func TestOverdueLives(t *testing.T) {
	l := newLeader(t)
	l.must(withTTL(set("/k", "v"), 1))
	l.advance(5 * Second)
	l.must(set("/other", ""))
	n, refused := l.s.View().Get("/k")
	require.Nil(t, refused)
	assert.EqualValues(t, -4, l.s.View().Clock.TTLSeconds(n.Deadline))
	l.must(Command{Op: OpCompareAndSwap, Path: "/k", Value: "w", PrevValue: "v"})
	assert.Empty(t, l.expire(0))
}

func TestExpiryIsBounded(t *testing.T) {
	l := newLeader(t)
	const keys = 2*MaxExpirePerCommand + 1
	list := make([]Command, keys)
	for i := range list {
		list[i] = withTTL(set(fmt.Sprintf("/d%d/k", i%7), ""), 1)
		list[i].Path += fmt.Sprint(i)
	}
	l.batch(list...)
	l.advance(Second)
	out := l.batch(Command{Op: OpExpire}, set("/between", ""), Command{Op: OpExpire})
	assert.Len(t, out.Events, 2*MaxExpirePerCommand+1)
	assert.Equal(t, "/between", out.Events[MaxExpirePerCommand].Node.Path)
	assert.Equal(t, []Result{{}, {Event: out.Events[MaxExpirePerCommand]}, {}}, out.Results)
	assert.Len(t, l.expire(0), 1)
	assert.Empty(t, l.expire(0))
	checkState(t, l.s)
}
