package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wires is a network of machines whose processes only have sockets: the test makes their calls.
type wires struct {
	*world
	t *testing.T
}

func newWires(t *testing.T, machines int) *wires {
	t.Helper()
	o := Options{Seed: 5, Nodes: 3, Duration: MinDuration}
	w := &wires{t: t, world: &world{ctx: context.Background(), draws: 5, plan: Derive(o), trace: plain(), timeline: &timeline{}}}
	for i := range machines {
		m := w.add(&machine{name: memberName(i), ip: fmt.Sprintf("10.0.0.%d", i+1), endsItself: true})
		w.boot(m)
	}
	w.net = newNetwork(w.world, machines)
	return w
}

// boot gives a machine a process that does nothing with its turns.
func (w *wires) boot(m *machine) *process {
	p := &process{m: m, local: w.now}
	p.baton = newBaton(func() {
		for p.baton.giveBack() {
		}
	})
	p.sockets.init()
	p.door.fd = testDoor
	m.proc = p
	w.t.Cleanup(p.baton.stop)
	return p
}

// pass lets virtual time pass.
func (w *wires) pass(d time.Duration) {
	w.t.Helper()
	require.NoError(w.t, w.run(w.now+int64(d), func() bool { return false }))
	for _, m := range w.machines {
		if m.proc != nil {
			m.proc.local = max(m.proc.local, w.now)
		}
	}
}

func (w *wires) dial(from, to int) *socket {
	w.t.Helper()
	s, errno := w.net.dial(w.machines[from].proc, fmt.Sprintf("10.0.0.%d:7", to+1))
	require.Zero(w.t, errno)
	return s
}

func (w *wires) listen(m int) *socket {
	w.t.Helper()
	l, errno := w.net.listen(w.machines[m].proc, ":7")
	require.Zero(w.t, errno)
	return l
}

// connect makes a connection and returns its end at from and that at to, where there must be a listener.
func (w *wires) connect(l *socket, from int) (near, far *socket) {
	w.t.Helper()
	near = w.dial(from, l.m.index)
	w.pass(time.Second)
	require.Equal(w.t, established, near.state)
	require.NotEmpty(w.t, l.waiting)
	far, l.waiting = l.waiting[0], l.waiting[1:]
	far.accepted = true
	return near, far
}

func (w *wires) send(s *socket, text string) int32 { return s.send([]byte(text), s.m.proc.local) }

// read takes all that has arrived; an errno, or "EOF", follows it.
func (w *wires) read(s *socket) string {
	text, b := "", make([]byte, 100)
	for {
		n := s.recv(b, s.m.proc.local)
		switch {
		case n > 0:
			text += string(b[:n])
		case n == 0:
			return text + "EOF"
		case n == -errAgain:
			return text
		default:
			return fmt.Sprintf("%serrno %d", text, -n)
		}
	}
}

const (
	gotReset   = "errno 15"
	gotTimeout = "errno 73"
	// probed is a time in which every keep-alive has asked.
	probed = keepAliveMaxNanos + time.Second
)

func TestErrnosAreWASIs(t *testing.T) {
	assert.Equal(t, gotReset, fmt.Sprintf("errno %d", errConnReset))
	assert.Equal(t, gotTimeout, fmt.Sprintf("errno %d", errTimedOut))
}

// A cut of one direction leaves the other working; what it held is sent again.
func TestOneWayCut(t *testing.T) {
	w := newWires(t, 2)
	a, b := w.connect(w.listen(1), 0)
	w.net.set(0, 1, condition{Cut: true})
	w.send(a, "ask")
	w.send(b, "answer")
	w.pass(10 * time.Second)
	assert.Equal(t, "", w.read(b))
	assert.Equal(t, "answer", w.read(a))
	w.send(a, " more")
	w.net.set(0, 1, condition{})
	w.pass(time.Second)
	assert.Equal(t, "ask more", w.read(b))
	assert.Equal(t, 1, w.counts.HeldUp)
}

// Of a connection that is reset while its data is held up nothing is sent again, the reset neither; what the other end
// sends, or its keep-alive, finds out.
func TestResetBehindACutIsNotSentAgain(t *testing.T) {
	for _, sends := range []bool{true, false} {
		w := newWires(t, 2)
		a, b := w.connect(w.listen(1), 0)
		w.net.set(0, 1, condition{Cut: true})
		w.send(a, "held")
		w.send(b, "unread")
		w.pass(time.Second)
		a.close(w.now) // over unread bytes: a reset
		w.pass(time.Second)
		assert.Equal(t, 1, w.probes[probeHalfOpen])
		w.pass(100 * time.Second) // keep-alives ask; their answers are lost too
		assert.Equal(t, "", w.read(b))
		assert.Greater(t, w.probes[probeHalfOpen], 1)
		w.net.set(0, 1, condition{})
		if sends {
			w.pass(time.Microsecond)
			assert.Equal(t, "", w.read(b), "still half open")
			w.send(b, "anybody?")
			w.pass(time.Second)
		} else {
			w.pass(probed)
		}
		assert.Equal(t, gotReset, w.read(b))
	}
}

// Whoever gives up dialling across a cut leaves nothing behind: no connection appears when it is mended, no probe runs on.
func TestDialGivenUpAcrossACut(t *testing.T) {
	w := newWires(t, 2)
	l := w.listen(1)
	w.net.set(0, 1, condition{Cut: true})
	a := w.dial(0, 1)
	w.pass(5 * time.Second)
	assert.Equal(t, connecting, a.state)
	a.close(w.now)
	w.pass(time.Second)
	assert.Empty(t, w.queue.events, "something still happens to a connection that nobody has")
	w.net.set(0, 1, condition{})
	w.pass(probed)
	assert.Empty(t, l.waiting)
}

// A clog holds everything and loses nothing: data and then the reset arrive, in order.
func TestClogged(t *testing.T) {
	w := newWires(t, 2)
	a, b := w.connect(w.listen(1), 0)
	w.net.set(0, 1, condition{Clogged: true})
	for i := range 5 {
		w.send(a, fmt.Sprint(i))
		w.pass(time.Second)
	}
	assert.Equal(t, "", w.read(b))
	w.net.set(0, 1, condition{})
	w.pass(time.Millisecond)
	assert.Equal(t, "01234", w.read(b))

	w.net.set(0, 1, condition{Clogged: true})
	a.abort()
	w.pass(probed)
	assert.Equal(t, "", w.read(b))
	assert.Zero(t, w.probes[probeHalfOpen])
	w.net.set(0, 1, condition{})
	w.pass(time.Millisecond)
	assert.Equal(t, gotReset, w.read(b))
}

// Held connections stand for their time and then go on; later ones are not touched.
func TestHoldConns(t *testing.T) {
	w := newWires(t, 2)
	assert.Zero(t, w.net.holdConns(0, 1, 1e9))
	l := w.listen(1)
	a, b := w.connect(l, 0)
	require.Equal(t, 1, w.net.holdConns(0, 1, 6e9)) // connecting takes one second of it
	c, d := w.connect(l, 0)
	w.send(a, "one")
	w.send(b, "two")
	w.send(c, "three")
	w.pass(4 * time.Second)
	assert.Equal(t, "", w.read(a)+w.read(b))
	assert.Equal(t, "three", w.read(d))
	w.pass(time.Second + time.Millisecond)
	assert.Equal(t, "two/one", w.read(a)+"/"+w.read(b))
}

// A slow link takes its time, and its tail is heavy.
func TestSlow(t *testing.T) {
	w := newWires(t, 2)
	plainly := int64(0)
	for range 1000 {
		plainly = max(plainly, w.net.latency(0, 1, 0))
	}
	assert.Less(t, plainly, 100*int64(time.Millisecond))
	w.net.set(0, 1, condition{Times: 10, ExtraNanos: 1e9, TailNanos: 50e9})
	longest, long := int64(0), 0
	for range 5000 {
		d := w.net.latency(0, 1, 0)
		require.Greater(t, d, int64(1e9))
		longest = max(longest, d)
		if d > 6e9 {
			long++
		}
	}
	assert.Greater(t, longest, int64(20e9))
	assert.InDelta(t, 50, long, 30, "of 1000 segments ten get more than a tenth of the tail")
	assert.Less(t, w.net.latency(1, 0, 0), 100*int64(time.Millisecond), "the other direction")
}

// A lossy link delays, keeps the order, and loses no byte; a reset may get lost.
func TestLossy(t *testing.T) {
	w := newWires(t, 2)
	l := w.listen(1)
	a, b := w.connect(l, 0)
	w.net.set(0, 1, condition{LossPerMille: 300})
	want := ""
	for i := range 200 {
		text := fmt.Sprint(i, " ")
		require.Positive(t, w.send(a, text))
		want += text
		w.pass(time.Millisecond)
	}
	got := w.read(b)
	assert.Less(t, len(got), len(want))
	w.pass(20 * time.Second)
	assert.Equal(t, want, got+w.read(b))
	assert.InDelta(t, 85, w.net.counts.Lost, 40)

	w.net.set(0, 1, condition{LossPerMille: 1000})
	w.send(a, "lost for good")
	a.abort()
	w.pass(100 * time.Second)
	assert.Equal(t, "", w.read(b))
	w.net.set(0, 1, condition{})
	w.pass(probed)
	assert.Equal(t, gotReset, w.read(b))
}

// A flaky link breaks connections at both ends.
func TestFlaky(t *testing.T) {
	w := newWires(t, 2)
	l := w.listen(1)
	broken, sent := 0, 0
	w.net.set(0, 1, condition{BreakPerMillion: 100_000})
	for range 50 {
		a := w.dial(0, 1)
		w.pass(time.Second)
		if a.state != established {
			broken++
			assert.Equal(t, int32(errConnReset), a.errno)
			continue
		}
		b := l.waiting[0]
		l.waiting, b.accepted = nil, true
		for range 5 {
			sent++
			w.send(a, "x")
			w.pass(time.Second)
			if a.state == dead {
				broken++
				assert.Equal(t, gotReset, w.read(a))
				assert.Equal(t, gotReset, w.read(b))
				break
			}
		}
	}
	assert.Equal(t, broken, w.net.counts.Broken)
	assert.InDelta(t, (sent+50)/10, broken, float64(sent)/10)
}

// Resetting connections breaks those between two machines and no others; half of it leaves the other end to find out.
func TestResetConns(t *testing.T) {
	w := newWires(t, 3)
	l := w.listen(1)
	a, b := w.connect(l, 0)
	c, d := w.connect(l, 2)
	assert.Equal(t, 1, w.net.resetConns(1, 0, false))
	assert.Equal(t, gotReset, w.read(a))
	assert.Equal(t, gotReset, w.read(b))
	assert.Zero(t, w.net.resetConns(0, 1, false), "there are none any more")

	assert.Equal(t, 1, w.net.resetConns(2, 1, true))
	assert.Equal(t, gotReset, w.read(c))
	w.pass(time.Microsecond)
	assert.Equal(t, "", w.read(d), "half open")
	assert.Equal(t, 1, w.probes[probeHalfOpen])
	assert.Equal(t, int32(5), w.send(d, "hello"))
	w.pass(time.Second)
	assert.Equal(t, gotReset, w.read(d))

	_, b = w.connect(l, 0)
	assert.Equal(t, 1, w.net.resetConns(0, 1, true))
	w.pass(probed)
	assert.Equal(t, gotReset, w.read(b), "its keep-alive has not found out")
}

// A killed process's sockets are closed: peers read what was sent and then the end, or are reset if it had not read all.
func TestKilledProcessClosesItsSockets(t *testing.T) {
	w := newWires(t, 2)
	l := w.listen(1)
	a, b := w.connect(l, 0)
	c, d := w.connect(l, 0)
	unaccepted := w.dial(0, 1)
	w.pass(time.Second)
	w.send(b, "last words")
	w.send(c, "never read")
	w.pass(time.Second)
	w.machines[1].proc.sockets.abortAll()
	w.machines[1].proc = nil
	w.pass(time.Second)
	assert.Equal(t, "last wordsEOF", w.read(a))
	assert.Equal(t, gotReset, w.read(c))
	assert.Equal(t, gotReset, w.read(unaccepted))
	assert.Equal(t, dead, d.state)
	w.send(a, "anybody?")
	w.pass(time.Second)
	assert.Equal(t, gotReset, w.read(a))
	again := w.dial(0, 1)
	w.pass(time.Second)
	assert.Equal(t, int32(errConnRefused), again.errno)
}

// A machine without power is silent: peers are half open, diallers wait; who sends is reset once it is back, or times out.
func TestPowerOff(t *testing.T) {
	w := newWires(t, 2)
	l := w.listen(1)
	idle, _ := w.connect(l, 0)
	sends, far := w.connect(l, 0)
	w.net.set(1, 0, condition{Cut: true})
	w.send(far, "lost with the power")
	w.pass(time.Second)
	w.net.powerOff(1)
	w.machines[1].proc = nil
	w.net.set(1, 0, condition{})
	w.pass(time.Second)
	dialler := w.dial(0, 1)
	w.send(sends, "anybody?")
	w.pass(5 * time.Second)
	for _, s := range []*socket{idle, sends} {
		assert.Equal(t, "", w.read(s))
	}
	assert.Equal(t, connecting, dialler.state)

	w.net.powerOn(1)
	w.pass(time.Second)
	assert.Equal(t, gotReset, w.read(sends))
	assert.Equal(t, int32(errConnRefused), dialler.errno, "no process yet")
	w.pass(probed)
	assert.Equal(t, gotReset, w.read(idle))

	w.boot(w.machines[1])
	again, _ := w.connect(w.listen(1), 0)
	w.net.powerOff(1)
	w.machines[1].proc = nil
	w.send(again, "anybody?")
	w.pass(giveUpMaxNanos + time.Second)
	assert.Equal(t, gotTimeout, w.read(again))
	assert.Equal(t, 1, w.net.counts.GivenUp)
}

// What was in flight when the power went is lost if it meets a cut: nobody is there to send it again.
func TestPowerOffInFlight(t *testing.T) {
	w := newWires(t, 2)
	a, b := w.connect(w.listen(1), 0)
	w.send(b, "in flight")
	w.net.powerOff(1)
	w.machines[1].proc = nil
	w.net.set(0, 1, condition{Cut: true})
	w.net.set(1, 0, condition{Cut: true})
	w.pass(time.Second)
	w.net.powerOn(1)
	w.net.set(1, 0, condition{})
	w.pass(probed)
	assert.Equal(t, "", w.read(a))
	w.net.set(0, 1, condition{})
	w.pass(probed)
	assert.Equal(t, gotReset, w.read(a))
}

// Links differ, both directions of one do not, and the zero condition says nothing in the decision log.
func TestLinks(t *testing.T) {
	w := newWires(t, 5)
	seen := map[int64]bool{}
	for from := range 5 {
		for to := range from {
			assert.Equal(t, w.net.base[from][to], w.net.base[to][from])
			seen[w.net.base[from][to]] = true
		}
	}
	assert.Greater(t, len(seen), 8)
	text, err := json.Marshal(condition{})
	require.NoError(t, err)
	assert.Equal(t, "{}", string(text))
}
