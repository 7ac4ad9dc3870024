package kernel

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// leader drives a state as a leader would: it numbers entries and keeps the
// clock session. Each entry is scribbled over after it was applied, so that
// every test here would show a state that holds on to an entry's memory.
type leader struct {
	t interface {
		require.TestingT
		Helper()
	}
	s       *State
	index   LogIndex
	session Session
	elapsed Time
}

// wall is the wall clock at the opening of a leader's first session.
const wall = int64(1_700_000_000_000_000_000)

func newLeader(t testing.TB) *leader {
	l := &leader{t: t, s: New()}
	l.open(Session{Term: 1})
	return l
}

func (l *leader) open(session Session) {
	l.t.Helper()
	l.session, l.elapsed = session, 0
	l.entry(AppendOpening(nil, session, wall+int64(l.s.Now())))
}

func (l *leader) entry(entry []byte) Applied {
	l.t.Helper()
	l.index++
	out, err := l.s.Apply(l.index, entry)
	require.NoError(l.t, err)
	for i := range entry {
		entry[i] = '?'
	}
	return out
}

// batch applies commands in one entry.
func (l *leader) batch(list ...Command) Applied {
	l.t.Helper()
	return l.entry(batch(l.t, l.session, l.elapsed, list...))
}

// do applies one command.
func (l *leader) do(c Command) Result {
	l.t.Helper()
	return l.batch(c).Results[0]
}

// must applies one command that has to succeed.
func (l *leader) must(c Command) *Event {
	l.t.Helper()
	r := l.do(c)
	require.Nil(l.t, r.Err)
	return r.Event
}

// advance lets cluster time pass; the next entry carries it.
func (l *leader) advance(d Time) { l.elapsed += d }

// expire lets time pass and expires what is due.
func (l *leader) expire(d Time) []*Event {
	l.t.Helper()
	l.advance(d)
	return l.batch(Command{Op: OpExpire}).Events
}

func batch(t require.TestingT, session Session, elapsed Time, list ...Command) []byte {
	encoded := make([][]byte, len(list))
	for i := range list {
		var err error
		encoded[i], err = AppendCommand(nil, &list[i])
		require.NoError(t, err)
	}
	return AppendBatch(nil, session, elapsed, encoded)
}

func snapshotBytes(t require.TestingT, s *State) []byte {
	var b bytes.Buffer
	n, err := s.Snapshot().WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	return b.Bytes()
}

func restored(t require.TestingT, snapshot []byte) *State {
	s, err := Restore(bytes.NewReader(snapshot))
	require.NoError(t, err)
	return s
}

// paths lists what a view holds.
func paths(v *View) []string {
	list := []string{}
	var walk func(dir string)
	walk = func(dir string) {
		v.Children(dir, func(n *Node) bool {
			list = append(list, n.Path)
			if n.Dir {
				walk(n.Path)
			}
			return true
		})
	}
	walk("/")
	return list
}

func set(path, value string) Command    { return Command{Op: OpSet, Path: path, Value: value} }
func mkdir(path string) Command         { return Command{Op: OpSet, Path: path, Dir: true} }
func create(path, value string) Command { return Command{Op: OpCreate, Path: path, Value: value} }
func remove(path string) Command        { return Command{Op: OpDelete, Path: path} }

func withTTL(c Command, seconds uint64) Command {
	c.HasTTL, c.TTLSeconds = true, seconds
	return c
}
