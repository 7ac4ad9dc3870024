package jepsen

import "time"

// A visit to one member's doorstep: so many times, with so long between two, each given up after so long.
const (
	knocks       = 16
	knockPause   = 12 * time.Millisecond
	knockTimeout = 60 * time.Millisecond
	// doorstepOneIn is how readily a watcher goes there instead of watching; others, who do more, do so more rarely.
	doorstepOneIn = 2
)

// doorstep asks one member for its own view over and over in a short time, by reads or by streams that begin with what comes
// next. What a member shows while it catches up after its start, and what it shows a watcher of a change that it is just telling
// to others, is seen only by who asks at that very moment.
func (s *session) doorstep() {
	c := s.client
	timeout, watchTimeout := c.Timeout, c.WatchTimeout
	defer func() { c.Timeout, c.WatchTimeout = timeout, watchTimeout }()
	c.Timeout, c.WatchTimeout = min(timeout, knockTimeout), knockTimeout
	o := Operation{Op: LocalRead, Key: s.root}
	if s.oneIn(2) {
		o = Operation{Op: Stream, Key: "/", Recursive: true}
	}
	for range knocks {
		s.perform(o)
		if !s.sleep(time.Duration(s.rng.Int64N(int64(knockPause)))) {
			return
		}
	}
}
