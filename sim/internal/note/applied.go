package note

import (
	"encoding/binary"
	"errors"
	"fmt"

	"holdfast/kernel"
)

// Applied is an entry that a member applied, as its replica reported it (see replica.Applied).
type Applied struct {
	Index, Term uint64
	Hash        uint64
	StoreIndex  uint64
	Now         uint64
	Session     uint64 // the term of the clock session
	Restored    bool
	Events      []*kernel.Event
}

// ErrMalformed says that a note of a commit cannot be read.
var ErrMalformed = errors.New("malformed note")

// AppendApplied appends the wire form of a.
func AppendApplied(b []byte, a *Applied) []byte {
	for _, v := range [...]uint64{a.Index, a.Term, a.StoreIndex, a.Now, a.Session} {
		b = binary.AppendUvarint(b, v)
	}
	restored := byte(0)
	if a.Restored {
		restored = 1
	}
	b = append(binary.LittleEndian.AppendUint64(b, a.Hash), restored)
	for _, e := range a.Events {
		at := len(b)
		b = kernel.AppendEvent(append(b, 0, 0, 0, 0), e)
		binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	return b
}

// DecodeApplied reads what AppendApplied wrote; errors wrap ErrMalformed.
func DecodeApplied(b []byte) (*Applied, error) {
	a := &Applied{}
	for _, v := range [...]*uint64{&a.Index, &a.Term, &a.StoreIndex, &a.Now, &a.Session} {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, fmt.Errorf("%w: a number is cut off", ErrMalformed)
		}
		*v, b = n, b[size:]
	}
	if len(b) < 9 {
		return nil, fmt.Errorf("%w: the hash is cut off", ErrMalformed)
	}
	a.Hash, a.Restored, b = binary.LittleEndian.Uint64(b), b[8] != 0, b[9:]
	for len(b) > 0 {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, fmt.Errorf("%w: an event is cut off", ErrMalformed)
		}
		size := int(binary.LittleEndian.Uint32(b))
		e, err := kernel.DecodeEvent(b[4 : 4+size])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		a.Events, b = append(a.Events, e), b[4+size:]
	}
	return a, nil
}
