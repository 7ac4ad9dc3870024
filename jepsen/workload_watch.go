package jepsen

var stirKinds = []chosen{{Write, 45}, {Create, 8}, {Update, 8}, {Delete, 12}, {MakeDir, 5}, {RemoveAll, 8}, {InOrder, 8}, {Refresh, 6}}

var stirPaths = []string{"/a", "/b", "/d/a", "/d/b", "/d/_x", "/d/e/a"}

// workWatch lets all clients but the first watch, their own directory and those
// of the other workloads. The first, if it is not alone, gives them something
// to see.
func workWatch(s *session) {
	if s.index == 0 && s.env.Clients > 1 {
		s.stir()
		return
	}
	for s.next() {
		if s.oneIn(doorstepOneIn) {
			s.doorstep()
			continue
		}
		w := &watcher{session: s}
		w.target()
		if !w.begin() {
			continue
		}
		if s.oneIn(4) {
			w.follow(Stream, 1+s.rng.IntN(2))
		} else {
			w.follow(Watch, 2+s.rng.IntN(8))
		}
	}
}

// stir changes a small tree in every way that watchers may see or not see.
func (s *session) stir() {
	for s.next() {
		o := Operation{Op: s.choose(stirKinds), Key: s.root + pick(s, stirPaths)}
		switch o.Op {
		case MakeDir, RemoveAll, InOrder:
			o.Key = s.root + pick(s, []string{"/d", "/d/e"})
		case Refresh:
			o.TTL = s.lifetime()
		}
		if writes(o.Op) {
			o.Arg = s.fresh()
			if s.oneIn(6) {
				o.TTL = 1 + s.rng.Int64N(2)
			}
		}
		s.do(o)
	}
}

// watcher is a session that watches one place for a while.
type watcher struct {
	*session
	key       string
	recursive bool
	from      uint64 // the index to go on from
}

// target draws what to watch.
func (w *watcher) target() {
	of := pick(w.session, allWorkloads())
	w.key, w.recursive = "/"+of.name, true
	if w.oneIn(2) {
		w.key = w.root
	}
	switch p := w.rng.IntN(100); {
	case p < 5:
		w.key = "/"
	case p < 30 && w.key == w.root:
		w.key, w.recursive = w.key+pick(w.session, stirPaths), w.oneIn(3)
	case p < 30 && of.keys > 0:
		w.key, w.recursive = w.key+"/0", w.oneIn(3)
	case p < 35: // of a directory alone: only what befalls the directory itself
		w.recursive = false
	}
}

// begin draws where to begin; no if nobody told which index it is.
func (w *watcher) begin() bool {
	p := w.rng.IntN(100)
	if p < 15 {
		return true // with what comes next
	}
	look := w.do(Operation{Op: LocalRead, Key: w.key})
	if look.EtcdIndex == 0 {
		return false
	}
	w.from = look.EtcdIndex + 1
	back := uint64(0)
	switch {
	case p < 55: // without a gap
	case p < 80:
		back = w.rng.Uint64N(40)
	case p < 88: // about where the history ends
		back = uint64(w.env.Ring) + w.rng.Uint64N(20)
		back -= min(back, 10)
	case p < 95:
		back = w.from - 1
	default: // not yet
		w.from += 1 + w.rng.Uint64N(20)
	}
	w.from -= min(back, w.from-1)
	return true
}

// follow watches a few times, each time from where it got to, through this or
// another member.
func (w *watcher) follow(k Kind, times int) {
	for range times {
		o := w.do(Operation{Op: k, Key: w.key, Recursive: w.recursive, WaitIndex: w.from})
		switch {
		case len(o.Events) > 0:
			w.from = o.Events[len(o.Events)-1].Index + 1
		case o.ErrorCode != 0 && o.EtcdIndex != 0: // the history has moved on
			w.from = o.EtcdIndex + 1
		}
		if w.oneIn(6) {
			w.move()
		}
		if !w.next() {
			return
		}
	}
}
