package kernel

import "encoding/binary"

// roll folds an entry and all that came of it into the history hash: members
// whose hashes are equal have done the same, and one that went astray, be it
// in a single byte of a value, shows it at that entry.
func (s *State) roll(index LogIndex, entry []byte, out *Applied) {
	d := &s.digest
	d.Reset()
	s.rollNumbers(s.history, uint64(index), uint64(s.index), uint64(s.clock.now))
	s.rollBytes(entry)
	for i := range out.Results {
		switch r := &out.Results[i]; {
		case r.Err != nil:
			s.rollNumbers(uint64(i), uint64(r.Err.Code), uint64(r.Err.Index))
			s.rollString(r.Err.Cause)
		case r.Event != nil:
			s.rollNumbers(uint64(i), uint64(r.Event.Index))
		}
	}
	for _, e := range out.Events {
		refresh := uint64(0)
		if e.Refresh {
			refresh = 1
		}
		s.rollNumbers(uint64(e.Action), uint64(e.Index), refresh, uint64(e.Clock.WallOffset))
		s.rollNode(e.Node)
		s.rollNode(e.Prev)
	}
	s.history = d.Sum64()
}

func (s *State) rollNode(n *Node) {
	if n == nil {
		s.rollNumbers(0)
		return
	}
	kind := uint64(1)
	if n.Dir {
		kind = 2
	}
	s.rollNumbers(kind, uint64(n.Created), uint64(n.Modified), uint64(n.Deadline))
	s.rollString(n.Path)
	s.rollString(n.Value)
}

func (s *State) rollNumbers(list ...uint64) {
	var b [64]byte
	n := 0
	for _, v := range list {
		binary.BigEndian.PutUint64(b[n:], v)
		if n += 8; n == len(b) {
			_, _ = s.digest.Write(b[:]) // a digest has nowhere to fail to
			n = 0
		}
	}
	_, _ = s.digest.Write(b[:n])
}

func (s *State) rollBytes(b []byte) {
	s.rollNumbers(uint64(len(b)))
	_, _ = s.digest.Write(b)
}

func (s *State) rollString(v string) {
	s.rollNumbers(uint64(len(v)))
	_, _ = s.digest.WriteString(v)
}
