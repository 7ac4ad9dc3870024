package kernel

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMembers(t *testing.T) {
	l := newLeader(t)
	add := func(id uint64) Result {
		return l.do(Command{Op: OpMemberAdd, Member: Member{ID: id, UID: 99, PeerURLs: []string{"http://a:2380"}}})
	}
	r := add(7)
	require.Nil(t, r.Err)
	assert.Equal(t, &Event{Action: ActionInternal, Index: 1, Clock: Clock{WallOffset: wall}}, r.Event)
	add(3)
	assert.Equal(t, Error{CodeMemberExists, "7", 2}, *add(7).Err)

	l.must(Command{Op: OpMemberAttributes, Member: Member{ID: 7, Name: "n", ClientURLs: []string{"http://a:2379"}}})
	l.must(Command{Op: OpMemberUpdate, Member: Member{ID: 3, Name: "ignored", PeerURLs: []string{"http://b:1", "http://b:2"}}})
	assert.Equal(t, []Member{
		{ID: 3, UID: 2, PeerURLs: []string{"http://b:1", "http://b:2"}},
		{ID: 7, UID: 1, Name: "n", PeerURLs: []string{"http://a:2380"}, ClientURLs: []string{"http://a:2379"}},
	}, l.s.Members(), "by id; UIDs in the order of addition")

	view, seen := l.s.View(), slices.Clone(l.s.Members())
	l.must(Command{Op: OpMemberRemove, Member: Member{ID: 3}})
	for _, op := range []Op{OpMemberRemove, OpMemberUpdate, OpMemberAttributes} {
		assert.Equal(t, Error{CodeKeyNotFound, "member 3", 5}, *l.do(Command{Op: op, Member: Member{ID: 3}}).Err)
	}
	_, ok := l.s.Member(3)
	assert.False(t, ok)
	seven, ok := l.s.Member(7)
	assert.True(t, ok)
	assert.Equal(t, "n", seven.Name)
	assert.Equal(t, seen, view.Members, "a view stays what it was")
	assert.False(t, view.MemberRemoved(3))

	// An id that was removed is not taken again, not after a restore either.
	l.s = restored(t, snapshotBytes(t, l.s))
	assert.True(t, l.s.MemberRemoved(3))
	assert.True(t, l.s.View().MemberRemoved(3))
	assert.Equal(t, Error{CodeMemberExists, "3", 5}, *add(3).Err)
	add(4)
	four, _ := l.s.Member(4)
	assert.EqualValues(t, 3, four.UID, "UIDs are never reused")
	checkState(t, l.s)
}

func TestMembersAreBounded(t *testing.T) {
	l := newLeader(t)
	for id := uint64(1); id <= MaxMembers; id++ {
		l.must(Command{Op: OpMemberAdd, Member: Member{ID: id}})
	}
	assert.Equal(t, CodeTooMany, l.do(Command{Op: OpMemberAdd, Member: Member{ID: 999}}).Err.Code)
	l.must(Command{Op: OpMemberRemove, Member: Member{ID: 1}})
	view := l.s.View()
	for id := uint64(10_000); id < 10_000+MaxRemovedMembers; id++ {
		l.must(Command{Op: OpMemberAdd, Member: Member{ID: id}})
		l.must(Command{Op: OpMemberRemove, Member: Member{ID: id}})
	}
	assert.False(t, l.s.MemberRemoved(1), "the oldest removal is forgotten")
	assert.True(t, view.MemberRemoved(1), "but not by a view from before")
	assert.False(t, view.MemberRemoved(10_000))
	assert.True(t, l.s.MemberRemoved(10_000))
	assert.Len(t, l.s.removed, MaxRemovedMembers)
	snapshot := snapshotBytes(t, l.s)
	assert.Equal(t, snapshot, snapshotBytes(t, restored(t, snapshot)))
}

func TestClusterVersion(t *testing.T) {
	l := newLeader(t)
	assert.Equal(t, StoreIndex(1), l.must(Command{Op: OpClusterVersion, Value: "3.4.0"}).Index)
	assert.Equal(t, "3.4.0", l.s.ClusterVersion())
	assert.Equal(t, "3.4.0", l.s.View().ClusterVersion)
	assert.Equal(t, "3.4.0", restored(t, snapshotBytes(t, l.s)).ClusterVersion())
}

// TestSettings: a setting takes no store index and makes no event.
func TestSettings(t *testing.T) {
	l := newLeader(t)
	l.must(set("/a", ""))
	assert.Equal(t, Result{}, l.do(Command{Op: OpSetting, Path: SettingHistoryEvents, Value: "2"}))
	assert.Equal(t, Settings{HistoryEvents: 2}, l.s.Settings())
	assert.Equal(t, StoreIndex(1), l.s.Index())
	for _, test := range []struct{ name, value, cause string }{
		{SettingHistoryEvents, "0", "history-events: 1 to 1048576"},
		{SettingHistoryEvents, strconv.Itoa(MaxHistoryEvents + 1), "history-events: 1 to 1048576"},
		{SettingHistoryEvents, "many", "history-events: 1 to 1048576"},
		{SettingHistoryEvents, "", "history-events: 1 to 1048576"},
		{"datacentre", "x", "setting datacentre is not known"},
	} {
		r := l.do(Command{Op: OpSetting, Path: test.name, Value: test.value})
		assert.Equal(t, Result{Err: &Error{CodeInvalidField, test.cause, 1}}, r)
	}
	assert.Equal(t, 2, l.s.Settings().HistoryEvents)
}
