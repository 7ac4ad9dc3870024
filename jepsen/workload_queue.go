package jepsen

// backlog is how long the queue may become before nobody appends to it: the
// listings are to stay short.
const backlog = 8

// workQueue appends in-order keys to a directory, lists it, and takes its head
// away, by the value or the index it saw or just so. Clients of even number
// append more than they take, the others the reverse.
func workQueue(s *session) {
	length, appends := 0, 70-50*(s.index%2)
	for s.next() {
		if length < backlog && s.rng.IntN(100) < appends {
			s.do(Operation{Op: InOrder, Key: s.root, Arg: s.fresh()})
			length++
			continue
		}
		list := Operation{Op: List, Key: s.root}
		if s.oneIn(8) {
			list.Op = LocalList
		}
		list = s.do(list)
		length = len(list.Nodes)
		if length > 0 {
			s.take(&list.Nodes[0])
			length--
		}
	}
}

func (s *session) take(head *Node) {
	o := Operation{Op: CAD, Key: head.Key}
	switch p := s.rng.IntN(100); {
	case p < 45:
		o.Prev = head.Value
	case p < 80:
		o.PrevIndex = head.ModifiedIndex
	default:
		o.Op = Delete
	}
	s.do(o)
}
