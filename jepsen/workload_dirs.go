package jepsen

var dirKinds = []chosen{
	{MakeDir, 16}, {Write, 22}, {Create, 6}, {Update, 4}, {Delete, 8}, {RemoveDir, 10}, {RemoveAll, 7},
	{List, 12}, {LocalList, 5}, {Read, 7}, {LocalRead, 2}, {InOrder, 4},
}

// dirNames are few, so that keys and directories get in each other's way; one
// is hidden.
var dirNames = []string{"a", "b", "_x"}

const dirDepth = 3

// workDirs makes, fills, lists and removes directories in a small tree. Nothing
// keeps it from asking for what is refused: a value where a directory is, a key
// below a key, the removal of a directory that is not empty.
func workDirs(s *session) {
	for s.next() {
		if s.oneIn(40) {
			s.everywhere(List, s.root)
			continue
		}
		o := Operation{Op: s.choose(dirKinds), Key: s.root}
		depth := 1 + s.rng.IntN(dirDepth)
		if (o.Op == List || o.Op == LocalList) && s.oneIn(2) {
			depth = 0
		}
		for range depth {
			o.Key += "/" + pick(s, dirNames)
		}
		if writes(o.Op) {
			o.Arg = s.fresh()
		}
		s.do(o)
	}
}

var mixedKinds = []chosen{
	{Read, 12}, {LocalRead, 8}, {List, 6}, {LocalList, 4}, {Write, 18}, {Create, 6}, {Update, 6}, {CAS, 10}, {Refresh, 4},
	{Delete, 6}, {CAD, 6}, {InOrder, 4}, {MakeDir, 3}, {RemoveDir, 2}, {RemoveAll, 3}, {Watch, 4}, {Stream, 1},
}

var mixedPaths = []string{"/a", "/b", "/d", "/d/a", "/d/b", "/d/_x"}

// workMixed asks for everything there is, on one small tree.
func workMixed(s *session) {
	last := make([]seen, len(mixedPaths))
	for s.next() {
		if s.oneIn(20 * doorstepOneIn) {
			s.doorstep()
			continue
		}
		k := s.rng.IntN(len(mixedPaths))
		o := Operation{Op: s.choose(mixedKinds), Key: s.root + mixedPaths[k]}
		s.mixedDetails(&o, last[k])
		o = s.do(o)
		if o.Key == s.root+mixedPaths[k] {
			last[k].learn(&o)
		}
	}
}

func (s *session) mixedDetails(o *Operation, last seen) {
	switch o.Op {
	case CAS, CAD:
		if !s.condition(o, last) {
			o.Op = Write
		}
	case Refresh:
		o.TTL = 1 + s.rng.Int64N(6)
	case InOrder, MakeDir, RemoveDir, RemoveAll:
		o.Key = s.root + "/d"
	case List, LocalList:
		o.Key = s.root
	case Watch, Stream: // not from far back, where all that happened would be told
		o.Key, o.Recursive, o.WaitIndex = s.root, true, s.latest+1-min(s.latest, s.rng.Uint64N(12))
	}
	if writes(o.Op) {
		o.Arg = s.fresh()
		if s.oneIn(8) {
			o.TTL = 1 + s.rng.Int64N(6)
		}
	}
}
