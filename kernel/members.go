package kernel

import (
	"slices"
	"strconv"
	"strings"
)

// applyCluster runs a command on the cluster's own state. All but settings
// take a store index, as they do in etcd, where they are keys that no client
// sees.
func (s *State) applyCluster(c *Command) (*Event, *Error) {
	switch c.Op {
	case OpMemberAdd:
		return s.memberAdd(&c.Member)
	case OpMemberAttributes, OpMemberUpdate:
		return s.memberChange(c)
	case OpMemberRemove:
		i, ok := s.memberAt(c.Member.ID)
		if !ok {
			return nil, s.refuse(CodeKeyNotFound, "member "+strconv.FormatUint(c.Member.ID, 16))
		}
		s.members = slices.Delete(slices.Clone(s.members), i, i+1)
		s.forget(c.Member.ID)
	case OpClusterVersion:
		s.version = strings.Clone(c.Value)
	default:
		return nil, s.setting(c)
	}
	return s.internal(), nil
}

func (s *State) internal() *Event { return s.event(ActionInternal, s.take(), nil, nil) }

func (s *State) memberAdd(m *Member) (*Event, *Error) {
	i, known := s.memberAt(m.ID)
	if known || s.MemberRemoved(m.ID) {
		return nil, s.refuse(CodeMemberExists, strconv.FormatUint(m.ID, 16))
	}
	if len(s.members) >= MaxMembers {
		return nil, s.refuse(CodeTooMany, strconv.Itoa(MaxMembers))
	}
	s.lastUID++
	added := *m
	added.UID = s.lastUID
	s.members = slices.Insert(slices.Clone(s.members), i, added)
	return s.internal(), nil
}

// forget remembers the id of a removed member: a member that comes back with
// an old id and an empty log could vote twice in one term.
func (s *State) forget(id uint64) {
	s.removed = append(s.removed[max(0, len(s.removed)+1-MaxRemovedMembers):], id)
}

// MemberRemoved tells whether id was a member's and is among the last
// MaxRemovedMembers removed.
func (s *State) MemberRemoved(id uint64) bool { return slices.Contains(s.removed, id) }

func (s *State) memberChange(c *Command) (*Event, *Error) {
	i, ok := s.memberAt(c.Member.ID)
	if !ok {
		return nil, s.refuse(CodeKeyNotFound, "member "+strconv.FormatUint(c.Member.ID, 16))
	}
	changed := s.members[i]
	if c.Op == OpMemberAttributes {
		changed.Name, changed.ClientURLs = c.Member.Name, c.Member.ClientURLs
	} else {
		changed.PeerURLs = c.Member.PeerURLs
	}
	s.members = slices.Clone(s.members)
	s.members[i] = changed
	return s.internal(), nil
}

func (s *State) setting(c *Command) *Error {
	if c.Path != SettingHistoryEvents {
		return s.refuse(CodeInvalidField, "setting "+strings.Clone(c.Path)+" is not known")
	}
	n, err := strconv.Atoi(c.Value)
	if err != nil || n < MinHistoryEvents || n > MaxHistoryEvents {
		return s.refuse(CodeInvalidField, SettingHistoryEvents+": "+strconv.Itoa(MinHistoryEvents)+" to "+strconv.Itoa(MaxHistoryEvents))
	}
	s.settings.HistoryEvents = n
	s.ring.resize(n)
	return nil
}
