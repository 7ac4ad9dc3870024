package kernel

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// someCommands has every operation, and every field at least once.
func someCommands() []Command {
	return []Command{
		set("/a", "v"),
		withTTL(Command{Op: OpSet, Path: "/d/e", Dir: true}, 60),
		withTTL(Command{Op: OpSet, Path: "/a", Refresh: true}, 0),
		create("/ü/\xff", "\x00"),
		{Op: OpCreateInOrder, Path: "/", Value: "v"},
		withTTL(Command{Op: OpUpdate, Path: "/a", Value: "w"}, MaxTTLSeconds),
		{Op: OpCompareAndSwap, Path: "/a", Value: "x", PrevValue: "w", PrevIndex: 1<<64 - 1},
		{Op: OpDelete, Path: "/d", Dir: true, Recursive: true},
		{Op: OpCompareAndDelete, Path: "/a", PrevIndex: 7},
		{Op: OpExpire},
		{Op: OpMemberAdd, Member: Member{ID: 1 << 63, UID: 3, PeerURLs: []string{"http://h:2380", ""}}},
		{Op: OpMemberAttributes, Member: Member{ID: 1 << 63, Name: "n", ClientURLs: []string{"http://h:2379"}}},
		{Op: OpMemberUpdate, Member: Member{ID: 1 << 63}},
		{Op: OpMemberRemove, Member: Member{ID: 1 << 63}},
		{Op: OpClusterVersion, Value: "3.4.0"},
		{Op: OpSetting, Path: SettingHistoryEvents, Value: "10"},
	}
}

func TestCommandRoundTrip(t *testing.T) {
	for _, c := range someCommands() {
		b, err := AppendCommand([]byte("before"), &c)
		require.NoError(t, err)
		require.Equal(t, "before", string(b[:6]))
		got, err := DecodeCommand(b[6:])
		require.NoError(t, err)
		assert.Equal(t, c, got)
		for cut := range len(b) - 6 {
			_, err := DecodeCommand(b[6 : 6+cut])
			assert.Error(t, err, "cut to %d bytes", cut)
		}
		_, err = DecodeCommand(append(b[6:], 0))
		assert.ErrorIs(t, err, ErrMalformed, "a byte too many")
	}
}

// unchecked encodes a command that AppendCommand would refuse.
func unchecked(c Command) []byte {
	flags := byte(0)
	if c.HasTTL {
		flags |= flagTTL
	}
	if c.PrevValue != "" {
		flags |= flagPrevValue
	}
	if c.Op.onMember() {
		flags |= flagMember
	}
	b := appendString(appendString([]byte{byte(c.Op), flags}, c.Path), c.Value)
	if c.HasTTL {
		b = binary.AppendUvarint(b, c.TTLSeconds)
	}
	if c.PrevValue != "" {
		b = appendString(b, c.PrevValue)
	}
	if c.Op.onMember() {
		b = AppendMember(b, &c.Member)
	}
	return b
}

// TestLimits: each limit holds at its value and not one beyond, both when a
// command is encoded and when it is decoded.
func TestLimits(t *testing.T) {
	path := func(bytes int) string { return "/" + strings.Repeat("p", bytes-1) }
	deep := func(names int) string { return strings.Repeat("/n", names) }
	value := func(bytes int) string { return strings.Repeat("v", bytes) }
	urls := func(n, bytes int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = value(bytes)
		}
		return list
	}
	member := func(m Member) Command { m.ID = 1; return Command{Op: OpMemberAdd, Member: m} }
	for _, test := range []struct {
		name      string
		good, bad Command
	}{
		{"path", set(path(MaxPathBytes), ""), set(path(MaxPathBytes+1), "")},
		{"depth", set(deep(MaxDepth), ""), set(deep(MaxDepth+1), "")},
		{"value", set("/a", value(MaxValueBytes)), set("/a", value(MaxValueBytes+1))},
		{"previous value", Command{Op: OpCompareAndSwap, Path: "/a", PrevValue: value(MaxValueBytes)}, Command{Op: OpCompareAndSwap, Path: "/a", PrevValue: value(MaxValueBytes + 1)}},
		{"time to live", withTTL(set("/a", ""), MaxTTLSeconds), withTTL(set("/a", ""), MaxTTLSeconds+1)},
		{"setting's name", Command{Op: OpSetting, Path: value(MaxNameBytes)}, Command{Op: OpSetting, Path: value(MaxNameBytes + 1)}},
		{"setting's value", Command{Op: OpSetting, Value: value(MaxNameBytes)}, Command{Op: OpSetting, Value: value(MaxNameBytes + 1)}},
		{"cluster version", Command{Op: OpClusterVersion, Value: value(MaxNameBytes)}, Command{Op: OpClusterVersion, Value: value(MaxNameBytes + 1)}},
		{"member's name", member(Member{Name: value(MaxNameBytes)}), member(Member{Name: value(MaxNameBytes + 1)})},
		{"peer URLs", member(Member{PeerURLs: urls(MaxURLs, MaxURLBytes)}), member(Member{PeerURLs: urls(MaxURLs+1, 1)})},
		{"a peer URL", member(Member{PeerURLs: urls(1, MaxURLBytes)}), member(Member{PeerURLs: urls(1, MaxURLBytes+1)})},
		{"client URLs", member(Member{ClientURLs: urls(MaxURLs, MaxURLBytes)}), member(Member{ClientURLs: urls(MaxURLs+1, 1)})},
		{"a client URL", member(Member{ClientURLs: urls(1, MaxURLBytes)}), member(Member{ClientURLs: urls(1, MaxURLBytes+1)})},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := AppendCommand(nil, &test.good)
			require.NoError(t, err)
			require.LessOrEqual(t, len(b), MaxCommandBytes)
			assert.Equal(t, unchecked(test.good), b)
			got, err := DecodeCommand(b)
			require.NoError(t, err)
			assert.Equal(t, test.good, got)

			l := newLeader(t)
			l.do(test.good)
			snapshot := snapshotBytes(t, l.s)
			assert.Equal(t, snapshot, snapshotBytes(t, restored(t, snapshot)), "what may be written can be restored")

			b, err = AppendCommand([]byte{1}, &test.bad)
			assert.ErrorIs(t, err, ErrLimit)
			assert.Equal(t, []byte{1}, b)
			_, err = DecodeCommand(unchecked(test.bad))
			assert.True(t, errors.Is(err, ErrLimit) || errors.Is(err, ErrMalformed), "%v", err)
		})
	}
}

func TestTheLongestCommandFits(t *testing.T) {
	big := strings.Repeat("v", MaxValueBytes)
	c := withTTL(Command{Op: OpCompareAndSwap, Path: "/" + big[:MaxPathBytes-1], Value: big, PrevValue: big, PrevIndex: 1<<64 - 1}, MaxTTLSeconds)
	b, err := AppendCommand(nil, &c)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(b), MaxCommandBytes)
	l := newLeader(t)
	assert.Equal(t, CodeKeyNotFound, l.do(c).Err.Code)

	// A key of the longest path and value, in the tree and twice in an event.
	l.must(set(c.Path, big))
	l.must(set(c.Path, big))
	snapshot := snapshotBytes(t, l.s)
	assert.Equal(t, snapshot, snapshotBytes(t, restored(t, snapshot)))
}

func TestEntryLimits(t *testing.T) {
	session := Session{Term: 1<<64 - 1, Restore: 1<<64 - 1}
	tiny, err := AppendCommand(nil, &Command{Op: OpExpire})
	require.NoError(t, err)
	many := func(n int) [][]byte {
		list := make([][]byte, n)
		for i := range list {
			list[i] = tiny
		}
		return list
	}
	b := AppendBatch(nil, session, maxTime, many(MaxCommandsPerEntry))
	assert.LessOrEqual(t, len(b), EntryOverheadBytes+MaxCommandsPerEntry*(len(tiny)+CommandOverheadBytes))
	_, err = New().Apply(1, b)
	assert.NoError(t, err)
	_, err = New().Apply(1, AppendBatch(nil, session, 0, many(MaxCommandsPerEntry+1)))
	assert.ErrorIs(t, err, ErrMalformed)
	_, err = New().Apply(1, make([]byte, MaxEntryBytes+1))
	assert.ErrorIs(t, err, ErrLimit)
	_, err = New().Apply(1, AppendBatch(nil, session, 0, [][]byte{make([]byte, MaxCommandBytes+1)}))
	assert.ErrorIs(t, err, ErrMalformed)
}

// TestRefusedBytes: a newer form is told apart from no form at all, and a
// number or flag in any but its one spelling is no form at all.
func TestRefusedBytes(t *testing.T) {
	entry := func(b ...byte) []byte { return b }
	command := func(b ...byte) []byte { return AppendBatch(nil, Session{Term: 1}, 0, [][]byte{b}) }
	for _, test := range []struct {
		name  string
		entry []byte
		want  error
	}{
		{"empty", nil, ErrMalformed},
		{"version alone", entry(1), ErrMalformed},
		{"version 0", entry(0, 0, 1, 0, 0, 0), ErrMalformed},
		{"newer version", entry(2, 0), ErrNewerVersion},
		{"newer kind", entry(1, 2), ErrNewerVersion},
		{"no session", entry(1, 0), ErrMalformed},
		{"opening of term 0", entry(1, 1, 0, 0, 0), ErrMalformed},
		{"opening with bytes left over", entry(1, 1, 1, 0, 0, 0), ErrMalformed},
		{"a number too long", entry(1, 0, 0x81, 0x00, 0, 0, 0), ErrMalformed},
		{"a number over 64 bits", entry(1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0, 0, 0), ErrMalformed},
		{"more commands than bytes", entry(1, 0, 1, 0, 0, 200, 1), ErrMalformed},
		{"command longer than the entry", entry(1, 0, 1, 0, 0, 1, 9, 8), ErrMalformed},
		{"empty command", command(), ErrMalformed},
		{"operation alone", command(8), ErrMalformed},
		{"operation 0", command(0, 0, 0, 0), ErrMalformed},
		{"newer operation, of a form unknown", command(9, 0, 1, 2, 3), ErrNewerVersion},
		{"newer operation on the cluster", command(22, 0, 0, 0), ErrNewerVersion},
		{"newer flag", command(1, 128, 1, 2, 3), ErrNewerVersion},
		{"empty path", command(1, 0, 0, 0), ErrMalformed},
		{"path without its slash", command(1, 0, 1, 'a', 0), ErrMalformed},
		{"an empty value to compare with", command(5, flagPrevValue, 2, '/', 'a', 0, 0), ErrMalformed},
		{"an index 0 to compare with", command(5, flagPrevIndex, 2, '/', 'a', 0, 0), ErrMalformed},
		{"a member where none belongs", command(8, flagMember, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0), ErrMalformed},
		{"no member where one belongs", command(19, 0, 0, 0), ErrMalformed},
		{"member 0", command(19, flagMember, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0), ErrMalformed},
		{"time to live over the limit", command(unchecked(withTTL(set("/a", ""), MaxTTLSeconds+1))...), ErrLimit},
		{"too deep", command(unchecked(set(strings.Repeat("/n", MaxDepth+1), ""))...), ErrLimit},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := furnished(t)
			before := snapshotBytes(t, l.s)
			out, err := l.s.Apply(l.index+1, test.entry)
			assert.ErrorIs(t, err, test.want)
			for _, other := range []error{ErrMalformed, ErrNewerVersion, ErrLimit} {
				assert.Equal(t, other == test.want, errors.Is(err, other), "%v", err)
			}
			assert.Zero(t, out)
			assert.Equal(t, before, snapshotBytes(t, l.s), "the state is unchanged")
		})
	}
}

func TestLogIndicesRise(t *testing.T) {
	l := newLeader(t)
	l.must(set("/a", ""))
	before := snapshotBytes(t, l.s)
	for _, index := range []LogIndex{0, 1, 2} {
		_, err := l.s.Apply(index, AppendBatch(nil, l.session, 0, nil))
		assert.ErrorIs(t, err, ErrMalformed)
	}
	assert.Equal(t, before, snapshotBytes(t, l.s))
	l.s.Skip(9)
	assert.EqualValues(t, 9, l.s.Applied())
	assert.EqualValues(t, 9, l.s.View().Applied)
	assert.EqualValues(t, 9, l.s.Snapshot().Applied())
	l.s.Skip(4)
	assert.EqualValues(t, 9, l.s.Applied(), "never backwards")
}

func TestValidPath(t *testing.T) {
	for _, p := range []string{"/", "/a", "/a/b", "/...", "/.a", "/a..", "/ ", "/\x00", "/ü", "/\xff", "/_a", "/a//"[:2]} {
		assert.True(t, ValidPath(p), "%q", p)
	}
	for _, p := range []string{"", "a", "a/b", "//", "/a/", "/a//b", "//a", "/.", "/..", "/a/./b", "/a/..", "/../a"} {
		assert.False(t, ValidPath(p), "%q", p)
		_, err := AppendCommand(nil, &Command{Op: OpSet, Path: p})
		assert.ErrorIs(t, err, ErrMalformed, "%q", p)
	}
	assert.False(t, ValidPath("/"+strings.Repeat("a", MaxPathBytes)))
	assert.False(t, ValidPath(strings.Repeat("/a", MaxDepth+1)))
	_, err := AppendCommand(nil, &Command{Op: OpMemberAdd})
	assert.ErrorIs(t, err, ErrMalformed)
	_, err = AppendCommand(nil, &Command{})
	assert.ErrorIs(t, err, ErrMalformed)
}

// TestMessages: the texts are etcd's.
func TestMessages(t *testing.T) {
	for code, want := range map[Code]string{
		100: "Key not found", 101: "Compare failed", 102: "Not a file", 103: "Reached the max number of peers in the cluster",
		104: "Not a directory", 105: "Key already exists", 107: "Root is read only", 108: "Directory not empty",
		109: "Peer address has existed", 209: "Invalid field", 401: "The event in requested index is outdated and cleared", 1: "Unknown error",
	} {
		assert.Equal(t, want, code.Message())
	}
	assert.EqualError(t, &Error{Code: 100, Cause: "/a"}, "100: Key not found (/a)")
}
