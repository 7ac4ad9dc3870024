package kernel

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// isOurs tells whether an error is one of those that a decoder promises.
func isOurs(err error) bool {
	return errors.Is(err, ErrMalformed) || errors.Is(err, ErrNewerVersion) || errors.Is(err, ErrLimit)
}

// FuzzApply: no entry panics a state; one that is refused changes nothing,
// and one that applies leaves a sound state that can be restored.
func FuzzApply(f *testing.F) {
	session := Session{Term: 4, Restore: 2}
	f.Add(AppendOpening(nil, Session{Term: 5}, -1))
	f.Add(AppendBatch(nil, session, 1<<62, nil))
	all := batch(f, session, 5*Second, someCommands()...)
	f.Add(all)
	f.Add(all[:len(all)-1])
	for _, c := range someCommands() {
		f.Add(batch(f, session, 7*Second, c, Command{Op: OpExpire}))
	}
	before := snapshotBytes(f, settled(f).s)
	f.Fuzz(func(t *testing.T, entry []byte) {
		s := restored(t, before)
		input := bytes.Clone(entry)
		out, err := s.Apply(s.Applied()+1, input)
		require.Equal(t, entry, input, "the entry is only read")
		if err != nil {
			require.True(t, isOurs(err), "%v", err)
			require.Equal(t, before, snapshotBytes(t, s))
			return
		}
		for i := range input {
			input[i] = '?'
		}
		checkState(t, s)
		after := snapshotBytes(t, s)
		require.Equal(t, after, snapshotBytes(t, restored(t, after)))

		other := restored(t, before)
		again, err := other.Apply(other.Applied()+1, entry)
		require.NoError(t, err)
		require.Equal(t, out, again)
		require.Equal(t, s.HistoryHash(), other.HistoryHash())
	})
}

// FuzzDecodeCommand: what decodes encodes to the very same bytes.
func FuzzDecodeCommand(f *testing.F) {
	for _, c := range someCommands() {
		b, err := AppendCommand(nil, &c)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			require.True(t, isOurs(err), "%v", err)
			require.Zero(t, c)
			return
		}
		again, err := AppendCommand(nil, &c)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

// FuzzDecodeEvent: what decodes encodes to the very same bytes.
func FuzzDecodeEvent(f *testing.F) {
	require.Nil(f, settled(f).s.Replay(6, func(e *Event) bool {
		f.Add(AppendEvent(nil, e))
		return true
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEvent(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			require.Nil(t, e)
			return
		}
		require.Equal(t, b, AppendEvent(nil, e))
		e.Matches("/a", true)
	})
}

// FuzzDecodeMembers: what decodes encodes to the very same bytes.
func FuzzDecodeMembers(f *testing.F) {
	var all []byte
	for _, m := range settled(f).s.Members() {
		all = AppendMember(all, &m)
		f.Add(all)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := DecodeMembers(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.LessOrEqual(t, len(list), MaxMembers)
		again := []byte{}
		for i := range list {
			again = AppendMember(again, &list[i])
		}
		require.Equal(t, append([]byte{}, b...), again)
	})
}

// FuzzRestore: no bytes panic, what is restored is sound and, whatever its
// blocks were, writes a snapshot that restores to itself. Checksums are put
// right first, for a fuzzer would never guess one.
func FuzzRestore(f *testing.F) {
	f.Add(snapshotBytes(f, settled(f).s))
	f.Add(snapshotBytes(f, New()))
	f.Add(seal([]byte{recordEnd, 0, 0, 0, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, input := range [][]byte{b, resealed(b)} {
			s, err := Restore(bytes.NewReader(input))
			if err != nil {
				require.True(t, errors.Is(err, ErrMalformed) || errors.Is(err, ErrNewerVersion), "%v", err)
				require.Nil(t, s)
				continue
			}
			checkState(t, s)
			again := snapshotBytes(t, s)
			require.Equal(t, again, snapshotBytes(t, restored(t, again)))
		}
	})
}
