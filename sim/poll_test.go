package sim

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/experimental/wazerotest"
)

// subscription is one of poll_oneoff's, for the test.
type subscription struct {
	user    uint64
	tag     byte
	clock   uint32
	timeout uint64
	flags   uint16
	fd      uint32
}

const (
	testDoor = 5
	testIn   = 0
	testOut  = 4096
	testN    = 8192
)

// pollOnce calls poll for a process alone in its world, plays the loop until it returns, and gives the answered users.
func pollOnce(t *testing.T, p *process, subs ...subscription) []uint64 {
	t.Helper()
	mem := wazerotest.NewFixedMemory(65536)
	for i, s := range subs {
		b := make([]byte, subscriptionBytes)
		binary.LittleEndian.PutUint64(b, s.user)
		b[8] = s.tag
		if s.tag == pollClock {
			binary.LittleEndian.PutUint32(b[16:], s.clock)
			binary.LittleEndian.PutUint64(b[24:], s.timeout)
			binary.LittleEndian.PutUint16(b[40:], s.flags)
		} else {
			binary.LittleEndian.PutUint32(b[16:], s.fd)
		}
		require.True(t, mem.Write(uint32(testIn+i*subscriptionBytes), b))
	}
	before, _ := mem.Read(testIn, uint32(len(subs)*subscriptionBytes))
	before = append([]byte(nil), before...)
	go func() {
		<-p.resume
		errno := p.poll(mem, []uint64{testIn, testOut, uint64(len(subs)), testN})
		assert.Zero(t, errno)
		p.done = true
		p.yield <- struct{}{}
	}()
	p.done = false
	w := p.m.w
	p.wake(w.now)
	w.counts = Counts{}
	for {
		e, ok := w.queue.pop(1 << 62)
		require.True(t, ok, "it waits for ever")
		w.now = max(w.now, e.at)
		e.do()
		if p.done {
			break
		}
	}
	after, _ := mem.Read(testIn, uint32(len(subs)*subscriptionBytes))
	assert.Equal(t, before, after, "the guest's subscriptions are not ours to write to")
	n, _ := mem.ReadUint32Le(testN)
	var users []uint64
	for i := range n {
		user, _ := mem.ReadUint64Le(testOut + i*eventBytes)
		users = append(users, user)
	}
	return users
}

func loneProcess() *process {
	w := &world{trace: plain(), timeline: &timeline{}}
	m := w.add(&machine{name: "m1", endsItself: true})
	w.ctx = context.Background()
	p := &process{m: m, resume: make(chan struct{}), yield: make(chan struct{})}
	p.sockets.init()
	p.door.fd = testDoor
	return p
}

// Files that never block are ready at once, beside a clock that is not due; the doorbell only if it has been rung.
func TestPollFilesBesideClock(t *testing.T) {
	p := loneProcess()
	later := subscription{user: 1, tag: pollClock, clock: 1, timeout: 1e9}
	door := subscription{user: 2, tag: pollRead, fd: testDoor}
	file := subscription{user: 3, tag: pollRead, fd: 9}
	out := subscription{user: 4, tag: pollWrite, fd: testDoor}
	assert.Equal(t, []uint64{3, 4}, pollOnce(t, p, later, door, file, out))
	assert.Less(t, p.local, int64(1e9))

	p = loneProcess()
	s := &socket{m: p.m, p: p, state: listening}
	s.ring(0)
	assert.Equal(t, []uint64{2, 3}, pollOnce(t, p, later, door, file))
}

// Of several clocks the first that is due ends the wait, and no other is answered.
func TestPollClocks(t *testing.T) {
	p := loneProcess()
	p.local = 7_000
	p.m.w.now = 7_000
	door := subscription{user: 1, tag: pollRead, fd: testDoor}
	relative := subscription{user: 2, tag: pollClock, clock: 1, timeout: 2e6}
	absolute := subscription{user: 3, tag: pollClock, clock: 1, timeout: uint64(p.m.clock.monotonic(1e6)), flags: clockAbsolute}
	wall := subscription{user: 4, tag: pollClock, clock: clockRealtime, timeout: uint64(p.m.clock.wall(5e5)), flags: clockAbsolute}
	assert.Equal(t, []uint64{3}, pollOnce(t, p, door, relative, absolute))
	assert.Equal(t, int64(1e6), p.local)

	p.local, p.m.w.now = 7_000, 7_000
	assert.Equal(t, []uint64{4}, pollOnce(t, p, door, relative, absolute, wall))
	assert.Equal(t, int64(5e5), p.local)

	p.local, p.m.w.now = 7_000, 7_000
	assert.Equal(t, []uint64{2}, pollOnce(t, p, relative, door))
	assert.Equal(t, int64(2_007_000), p.local)
	now := subscription{user: 5, tag: pollClock, clock: 1}
	assert.Equal(t, []uint64{5}, pollOnce(t, p, now, door))
}

// A ring during the wait ends it before the clock does.
func TestPollIsWokenByDoorbell(t *testing.T) {
	p := loneProcess()
	s := &socket{m: p.m, p: p, state: listening}
	p.m.w.at(3e6, func() { s.ring(p.m.w.now) })
	clock := subscription{user: 1, tag: pollClock, clock: 1, timeout: 1e9}
	assert.Equal(t, []uint64{2}, pollOnce(t, p, clock, subscription{user: 2, tag: pollRead, fd: testDoor}))
	assert.Equal(t, int64(3e6), p.local)
}
