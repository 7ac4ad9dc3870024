package kernel

import (
	"encoding/binary"
	"fmt"
)

// AppendMember appends the wire form of a member, which commands, snapshots and
// the answers to forwarded requests share.
func AppendMember(dst []byte, m *Member) []byte {
	dst = binary.BigEndian.AppendUint64(dst, m.ID)
	dst = binary.AppendUvarint(dst, m.UID)
	dst = appendString(dst, m.Name)
	return appendStrings(appendStrings(dst, m.PeerURLs), m.ClientURLs)
}

// DecodeMembers reads members that AppendMember wrote one after another, at
// most MaxMembers, and fails with ErrMalformed on anything else.
func DecodeMembers(b []byte) ([]Member, error) {
	r := reader{b: b}
	var list []Member
	for len(r.b) > 0 && len(list) <= MaxMembers {
		list = append(list, r.member())
	}
	if r.err == nil && len(list) > MaxMembers {
		r.fail("too many members")
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("members: %w", err)
	}
	return list, nil
}
