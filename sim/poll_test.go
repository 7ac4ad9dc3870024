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
	p.baton = newBaton(func() {
		errno := p.poll(mem, []uint64{testIn, testOut, uint64(len(subs)), testN})
		assert.Zero(t, errno)
		p.done = true
	})
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
	p := &process{m: m}
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

// Subscriptions to what does not exist are answered at once, with an error; the others with none.
func TestPollUnknown(t *testing.T) {
	p := loneProcess()
	later := subscription{user: 1, tag: pollClock, clock: clockMonotonic, timeout: 1e9}
	tag, cpu := subscription{user: 2, tag: 7, fd: 9}, subscription{user: 3, tag: pollClock, clock: 2, timeout: 5}
	file := subscription{user: 4, tag: pollRead, fd: 9}
	assert.Equal(t, []uint64{2, 3, 4}, pollOnce(t, p, later, tag, cpu, file))
	mem := wazerotest.NewFixedMemory(65536)
	in := make([]byte, subscriptionBytes)
	in[8] = 7
	require.True(t, mem.Write(testIn, in))
	require.Zero(t, p.poll(mem, []uint64{testIn, testOut, 1, testN}))
	errno, _ := mem.ReadUint16Le(testOut + 8)
	assert.Equal(t, uint16(errInvalid), errno)
}

// Everything about a call enters the run's hash: what was asked, also of what is not due, and a refusal.
func TestPollIsHashed(t *testing.T) {
	hash := func(timeout uint64, a []uint64) uint64 {
		p := loneProcess()
		mem := wazerotest.NewFixedMemory(65536)
		in := make([]byte, 2*subscriptionBytes)
		binary.LittleEndian.PutUint32(in[16:], clockMonotonic) // due at once
		in[subscriptionBytes+8] = pollClock
		binary.LittleEndian.PutUint32(in[subscriptionBytes+16:], clockMonotonic)
		binary.LittleEndian.PutUint64(in[subscriptionBytes+24:], timeout)
		require.True(t, mem.Write(testIn, in))
		p.poll(mem, a)
		assert.Equal(t, uint64(1), p.m.w.trace.count)
		return p.m.w.trace.hash
	}
	good := []uint64{testIn, testOut, 2, testN}
	assert.Equal(t, hash(5e9, good), hash(5e9, good))
	seen := map[uint64]bool{}
	for _, h := range []uint64{
		hash(5e9, good), hash(6e9, good), hash(5e9, []uint64{testIn, testOut, 0, testN}),
		hash(5e9, []uint64{testIn, testOut, maxSubscriptions + 1, testN}),
		hash(5e9, []uint64{65530, testOut, 2, testN}), hash(5e9, []uint64{testIn, 65530, 2, testN}),
	} {
		assert.False(t, seen[h], "two calls that differ have one hash")
		seen[h] = true
	}
}
