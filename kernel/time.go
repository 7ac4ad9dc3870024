package kernel

// Time is cluster time, in nanoseconds since the cluster was made. It is the
// kernel's only clock: it moves when an entry says how much of its leader's
// monotonic time has passed, and never backwards.
type Time int64

// Second is one second of cluster time.
const Second Time = 1e9

// maxTime is where cluster time stands still, after some 146 years, and
// maxDeadline the last deadline that can then be set. Both bounds together
// keep every sum of times within int64, whatever an entry says.
const (
	maxTime     Time = 1 << 62
	maxDeadline      = maxTime + MaxTTLSeconds*Second
)

// Session names a clock session: the reign of one leader, between two
// restores. A leader's first entry of a term opens one; later entries carry
// it, with the time since that opening. An entry of any other session leaves
// cluster time where it is, so that no deposed leader's clock can move it.
type Session struct {
	// Term is the raft term in which the session was opened, 1 or more.
	Term uint64
	// Restore counts the archives restored into this cluster so far.
	Restore uint64
}

// Clock is what is needed to show a deadline to a client.
type Clock struct {
	// Now is cluster time.
	Now Time
	// WallOffset turns cluster time into Unix nanoseconds: the leader's wall
	// clock at the opening of the session less cluster time there. It only
	// decides what is shown, never what happens.
	WallOffset int64
}

// TTLSeconds is what a client is told is left until deadline: the seconds,
// rounded up; zero or less if it has passed.
func (c Clock) TTLSeconds(deadline Time) int64 {
	left := deadline - c.Now
	seconds := left / Second
	if left%Second > 0 {
		seconds++
	}
	return int64(seconds)
}

// UnixNano is the wall time at which deadline is expected, in nanoseconds
// since 1970.
func (c Clock) UnixNano(deadline Time) int64 { return int64(deadline) + c.WallOffset }

// clock is the state's own bookkeeping of cluster time.
type clock struct {
	session Session
	now     Time
	base    Time  // cluster time at the opening of session
	wall    int64 // the leader's wall clock there, Unix nanoseconds
}

// open begins a session. To open it again changes nothing: entries sealed since
// the first opening count from there, and a later base would let time run ahead
// of them.
func (c *clock) open(s Session, wallUnixNano int64) {
	if s == c.session {
		return
	}
	c.session, c.base, c.wall = s, c.now, wallUnixNano
}

// advance moves cluster time to elapsed after the opening of the session.
// Term 0 belongs to nobody: before the first opening time stands still.
func (c *clock) advance(s Session, elapsed Time) {
	if s == c.session && s.Term != 0 {
		c.now = max(c.now, c.base+min(elapsed, maxTime-c.base))
	}
}

func (c *clock) shown() Clock {
	return Clock{Now: c.now, WallOffset: c.wall - int64(c.base)}
}
