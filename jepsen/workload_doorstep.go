package jepsen

import "time"

// A visit to one member's doorstep: so many times, with so long between two, each given up after so long.
const (
	knocks       = 16
	knockPause   = 12 * time.Millisecond
	knockTimeout = 60 * time.Millisecond
	// A poll has its answer with the next change, and its connection stays: there are so many times more of them, so much closer.
	pollsPerKnock = 3
	// doorstepOneIn is how readily a watcher goes there instead of watching; others, who do more, do so more rarely.
	doorstepOneIn = 2
)

// doorstep asks one member for its own view over and over in a short time: by reads, or by streams or long polls that begin with
// what comes next, anywhere. What a member shows while it catches up after its start, and what it shows a watcher of a change
// that it is just telling to others, is seen only by who asks at that very moment.
func (s *session) doorstep() {
	c := s.client
	timeout, watchTimeout := c.Timeout, c.WatchTimeout
	defer func() { c.Timeout, c.WatchTimeout = timeout, watchTimeout }()
	c.Timeout, c.WatchTimeout = min(timeout, knockTimeout), knockTimeout
	o, times, pause := Operation{Op: LocalRead, Key: s.root}, knocks, knockPause
	switch s.rng.IntN(8) {
	case 0:
		o = Operation{Op: Stream, Key: "/", Recursive: true}
	case 1, 2, 3:
		o = Operation{Op: Watch, Key: "/", Recursive: true}
		times, pause = pollsPerKnock*times, pause/pollsPerKnock
	}
	for range times {
		s.perform(o)
		if !s.sleep(time.Duration(s.rng.Int64N(int64(pause)))) {
			return
		}
	}
}
