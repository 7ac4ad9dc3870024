package sim

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
	"github.com/tetratelabs/wazero/api"
)

// The layout of poll_oneoff's subscriptions and events.
const (
	subscriptionBytes = 48
	eventBytes        = 32
	pollClock         = 0
	pollRead          = 1
	pollWrite         = 2
	clockRealtime     = 0
	clockMonotonic    = 1
	clockAbsolute     = 1 // flag
	maxSubscriptions  = 1 << 16
	never             = int64(-1)
	// longestWait bounds the time a subscription may name; what is later is as good as this.
	longestWait = 1 << 62
)

// poll is poll_oneoff: it waits until one of the subscriptions is due, and answers with all that then are. It is the only
// call in which a process waits for anything but its disk.
func (p *process) poll(mem api.Memory, a []uint64) uint32 {
	in, out, n, result := uint32(a[0]), uint32(a[1]), uint32(a[2]), uint32(a[3])
	if n == 0 || n > maxSubscriptions {
		return p.pollRefused(n, 0)
	}
	asked, ok := mem.Read(in, n*subscriptionBytes)
	if !ok {
		return p.pollRefused(n, 0)
	}
	sum := xxhash.Sum64(asked)
	events, ok := mem.Read(out, n*eventBytes)
	if !ok || !mem.WriteUint32Le(result, 0) {
		return p.pollRefused(n, sum)
	}
	p.subs = append(p.subs[:0], asked...) // a copy: deadlines are noted in it
	subs := p.subs
	p.fixDeadlines(subs)
	// Who is woken looks at the clocks anew: they may have been set, or run at another rate, meanwhile.
	due := p.deadline(subs)
	for !p.anyReady(subs) && (due == never || p.local < due) {
		p.park(due)
		due = p.deadline(subs)
	}
	count := p.answer(subs, events)
	mem.WriteUint32Le(result, count)
	p.step(opPoll, uint64(n)<<32|uint64(count), uint64(due), sum, events[:count*eventBytes])
	return 0
}

// pollRefused answers what is no valid call; sum is of the subscriptions, if those could be read.
func (p *process) pollRefused(n uint32, sum uint64) uint32 {
	p.step(opPoll, uint64(n)<<32, errInvalid, sum, nil)
	return errInvalid
}

// answer writes the events that are due now and counts them. A subscription to something that does not exist is answered
// with an error.
func (p *process) answer(subs, events []byte) (count uint32) {
	clear(events)
	for at := 0; at < len(subs); at += subscriptionBytes {
		sub := subs[at:]
		valid := validSubscription(sub)
		if valid && sub[8] == pollClock && p.local < p.dueAt(sub) || valid && sub[8] != pollClock && !p.ready(sub) {
			continue
		}
		e := events[count*eventBytes:]
		copy(e, sub[:8]) // user data
		if !valid {
			binary.LittleEndian.PutUint16(e[8:], errInvalid)
		}
		e[10] = sub[8]
		count++
	}
	return count
}

// validSubscription tells whether there is such a kind of event, and such a clock.
func validSubscription(sub []byte) bool {
	if sub[8] == pollClock {
		return binary.LittleEndian.Uint32(sub[16:]) <= clockMonotonic
	}
	return sub[8] <= pollWrite
}

// fixDeadlines turns relative times into absolute ones, of the monotonic clock: that is what they are relative to.
func (p *process) fixDeadlines(subs []byte) {
	now := p.m.clock.monotonic(p.local)
	for at := 0; at < len(subs); at += subscriptionBytes {
		sub := subs[at:]
		if sub[8] != pollClock || !validSubscription(sub) {
			continue
		}
		timeout := int64(min(binary.LittleEndian.Uint64(sub[24:]), longestWait))
		if binary.LittleEndian.Uint16(sub[40:])&clockAbsolute == 0 {
			timeout = min(timeout+now, longestWait)
			binary.LittleEndian.PutUint32(sub[16:], clockMonotonic)
		}
		binary.LittleEndian.PutUint64(sub[24:], uint64(timeout))
	}
}

// deadline is the earliest moment at which a clock subscription is due, as its clock goes at present.
func (p *process) deadline(subs []byte) int64 {
	due := never
	for at := 0; at < len(subs); at += subscriptionBytes {
		if sub := subs[at:]; sub[8] == pollClock && validSubscription(sub) {
			if d := p.dueAt(sub); due == never || d < due {
				due = d
			}
		}
	}
	return due
}

// dueAt is when a clock subscription is due, in virtual time: at that moment its clock shows the time asked for, or a
// later one for the first time.
func (p *process) dueAt(sub []byte) int64 {
	shown := int64(binary.LittleEndian.Uint64(sub[24:]))
	if binary.LittleEndian.Uint32(sub[16:]) == clockRealtime {
		return p.m.clock.wallAt(shown)
	}
	return p.m.clock.monotonicAt(shown)
}

// anyReady tells whether there is anything to answer but a clock.
func (p *process) anyReady(subs []byte) bool {
	for at := 0; at < len(subs); at += subscriptionBytes {
		if sub := subs[at:]; !validSubscription(sub) || sub[8] != pollClock && p.ready(sub) {
			return true
		}
	}
	return false
}

// ready answers for a file: only the doorbell ever makes anybody wait.
func (p *process) ready(sub []byte) bool {
	fd := int32(binary.LittleEndian.Uint32(sub[16:]))
	return sub[8] == pollWrite || fd != p.door.fd || len(p.door.queue) > 0
}
