package wal_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen"
	"holdfast/kernel/cluster"
	"holdfast/transport"
	"holdfast/wal"
)

var seed = flag.Uint64("seed", 1, "of the faults that three members live through")

// Three members in this process, on disks and a network that break by the seed,
// while clients write, compare, read and watch: nothing that was acknowledged is
// missing, the members' histories are one, and every other checker is content.
// It is here for the race detector, and because a test of this package can put
// a bad disk under a member.
func TestMembersUnderFaults(t *testing.T) {
	w := newWorld(t, *seed)
	defer w.end()
	w.work(func() {
		for range 2 {
			w.cut()
			w.pause()
			w.memory.HealAll()
			w.progress()
			w.slowDown()
			w.failSync(w.any())
			w.progress()
			w.kill(w.any())
			w.quicken()
			w.progress()
			w.kill(0, 1, 2)
			w.progress()
		}
	})
	run := w.judge()
	confirmed := map[jepsen.Kind]int{}
	for _, o := range run.History {
		if o.Outcome == jepsen.OK {
			confirmed[o.Op]++
		}
	}
	t.Logf("seed %d: confirmed %v; %d commits; torn tails %d", *seed, confirmed, len(run.Commits), w.torn)
	for _, kind := range []jepsen.Kind{jepsen.Write, jepsen.CAS, jepsen.Read, jepsen.LocalRead, jepsen.Watch} {
		assert.NotZero(t, confirmed[kind], kind)
	}
	assert.NotZero(t, w.torn)
	assert.Empty(t, w.wrong)
}

// Disks that call synced what is not lose acknowledged writes when the power of
// all fails, and that is found.
func TestMembersOnLyingDisksAreFound(t *testing.T) {
	w := newWorld(t, *seed)
	defer w.end()
	for _, m := range w.machines {
		m.disk.lies.Store(true)
	}
	w.work(func() {
		w.progress()
		w.kill(0, 1, 2)
	})
	if w.sound() {
		w.judge()
	}
	assert.NotEmpty(t, w.wrong)
}

// world is three members, their clients, and what is known of both.
type world struct {
	t        *testing.T
	rng      *rand.Rand
	memory   *transport.Memory
	delay    atomic.Int64 // of each message of a member, in nanoseconds
	initial  []cluster.Initial
	machines []*machine
	began    time.Time
	env      jepsen.Env
	history  bytes.Buffer
	torn     int

	mu    sync.Mutex
	run   jepsen.Run // what the members tell
	wrong []string   // what they did that they must not
}

var workloads = []string{"register", "cas", "watch", "queue"}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 0)), memory: transport.NewMemory(), began: time.Now()}
	dir := t.TempDir()
	for i := range 3 {
		name := fmt.Sprintf("n%d", i+1)
		m := &machine{w: w, name: name, dir: filepath.Join(dir, name), disk: newDisk()}
		w.machines = append(w.machines, m)
		w.initial = append(w.initial, cluster.Initial{Name: name, PeerURL: "http://" + name + ":2380"})
	}
	wal.SetDisk(t, func(op, path string, do func() error) error {
		for _, m := range w.machines {
			if rest, ours := strings.CutPrefix(path, m.dir+"/"); ours && strings.HasPrefix(rest, "raft/log") {
				return m.disk.do(op, path, do)
			}
		}
		return do()
	})
	w.run.Addrs = map[string]string{}
	w.env = jepsen.Env{
		Clients: 2, Dial: w.memory.Host("client").Dial, Now: w.now, Seed: seed, Timeout: 300 * time.Millisecond,
		Pause: jepsen.PauseFor(2, 60), Recorder: jepsen.NewRecorder(&w.history),
	}
	for _, m := range w.machines {
		require.NoError(t, m.start())
		w.env.Endpoints = append(w.env.Endpoints, m.url())
		w.run.Addrs[m.url()], w.run.Addrs[m.name+":2380"] = m.name, m.name
	}
	return w
}

func (w *world) accuse(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *world) sound() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.wrong) == 0
}

// now is the clock of the history.
func (w *world) now() int64 { return int64(time.Since(w.began)) }

// work lets clients work while the faults happen, and a moment longer.
func (w *world) work(faults func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var clients sync.WaitGroup
	var done []jepsen.Finished
	for i, name := range workloads {
		env := w.env
		env.Process = i * env.Clients
		done = append(done, jepsen.Finished{Name: name})
		clients.Go(func() { assert.NoError(w.t, jepsen.RunWorkload(ctx, name, env)) })
	}
	faults()
	w.memory.HealAll()
	w.quicken()
	w.run.CalmAt = w.now()
	if w.sound() {
		w.pause()
	}
	cancel()
	clients.Wait()
	if w.sound() {
		w.env.Process = len(workloads) * w.env.Clients
		require.NoError(w.t, jepsen.ReadBack(w.t.Context(), done, w.env))
	}
	w.run.End, w.run.Whole = w.now(), true
}

// judge asks every checker; what they find is in wrong.
func (w *world) judge() *jepsen.Run {
	w.stop(0, 1, 2)
	history, err := jepsen.ReadHistory(&w.history)
	require.NoError(w.t, err)
	w.run.History = history
	for _, c := range jepsen.Checkers() {
		r := c.Check(&w.run, jepsen.Limits{Total: 10 * time.Second, PerKey: 5 * time.Second})
		if r.Verdict != jepsen.Legal {
			w.accuse("%s: %s: %v", r.Checker, r.Verdict, r.Findings)
		}
	}
	return &w.run
}

func (w *world) end() { w.stop(0, 1, 2) }

func (w *world) any() int { return w.rng.IntN(len(w.machines)) }

// pause lets the clients work for a while.
func (w *world) pause() {
	time.Sleep(100*time.Millisecond + time.Duration(w.rng.IntN(300))*time.Millisecond)
}

// progress waits until the members have confirmed some more writes.
func (w *world) progress() {
	const writes = 25
	index := func() (highest uint64) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for i := range w.run.Commits {
			highest = max(highest, w.run.Commits[i].StoreIndex)
		}
		return highest
	}
	from, deadline := index(), time.Now().Add(patience)
	for index() < from+writes {
		if time.Now().After(deadline) {
			w.accuse("no %d writes were confirmed within %v", writes, patience)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// cut cuts a link, a direction of one, or a member off.
func (w *world) cut() {
	a := w.any()
	b := (a + 1 + w.rng.IntN(2)) % 3
	name := func(i int) string { return w.machines[i].name }
	switch w.rng.IntN(3) {
	case 0:
		w.memory.Cut(name(a), name(b))
	case 1:
		w.memory.CutOneWay(name(a), name(b))
	case 2:
		w.memory.Cut(name(a), name((a+1)%3))
		w.memory.Cut(name(a), name((a+2)%3))
	}
}

// slowDown makes one disk and all messages slow.
func (w *world) slowDown() {
	w.machines[w.any()].disk.slow.Store(int64(20 * time.Millisecond))
	w.delay.Store(int64(5 * time.Millisecond))
}

func (w *world) quicken() {
	w.delay.Store(0)
	for _, m := range w.machines {
		m.disk.slow.Store(0)
	}
}

// failSync has a sync of a member's log fail, which ends the member, and starts
// it again.
func (w *world) failSync(i int) {
	m := w.machines[i]
	m.disk.failSync.Store(true)
	select {
	case <-m.failed:
	case <-time.After(patience):
		w.accuse("%s: a sync failed, and it did not say so; or nothing was written for long", m.name)
	}
	w.kill(i)
}

// kill ends members as a power cut does, and starts them again. Of what was not
// synced a part may be gone.
func (w *world) kill(which ...int) {
	for _, i := range which {
		w.machines[i].disk.off.Store(true)
	}
	w.stop(which...)
	for _, i := range which {
		m := w.machines[i]
		m.disk.failSync.Store(false)
		torn, err := m.disk.tear(w.rng, filepath.Join(m.dir, "raft", "log"))
		require.NoError(w.t, err)
		if torn {
			w.torn++
		}
		m.disk.off.Store(false)
		if err := m.start(); err != nil {
			w.accuse("%s does not start: %v", m.name, err)
		}
	}
}

// stop ends members, which write nothing any more if their power is off.
func (w *world) stop(which ...int) {
	for _, i := range which {
		w.machines[i].stop()
	}
}
