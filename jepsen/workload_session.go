package jepsen

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// How readily a client turns to another member: one chance in so many.
const (
	moveOneIn = 60 // before a step
	fleeOneIn = 8  // after an operation without an answer
)

// lookOneIn is how readily a client looks at what it has just changed.
const lookOneIn = 8

// gone is how soon an operation fails for want of anybody to do it. Who stays
// with such a member only fails again and again; while who stays with one that
// is silent may find out what a deposed leader says.
const gone = 20 * time.Millisecond

// session is one client at work.
type session struct {
	ctx    context.Context //nolint:containedctx // a session is one run
	env    *Env
	root   string // the workload's directory
	names  []string
	index  int // among its workload's clients
	client *Client
	rng    *rand.Rand
	looks  *rand.Rand // when to look at what was changed: apart, so that the work is what it would be without
	left   int        // steps; negative: no end
	values int        // made so far
	began  int        // operations so far
	// latest is the highest store index that an answer has told.
	latest uint64
	err    error // the recorder's
}

func newSession(ctx context.Context, w *workload, env *Env, index int) *session {
	process := env.Process + index
	s := &session{
		ctx: ctx, env: env, root: w.root(), names: w.names(env.Keys), index: index, left: -1,
		rng: rand.New(rand.NewPCG(env.Seed, uint64(process))), looks: rand.New(rand.NewPCG(env.Seed, ^uint64(process))),
		client: &Client{
			Process: process, Dial: env.Dial, Now: env.Now, Timeout: env.Timeout, WatchTimeout: env.WatchTimeout,
		},
	}
	if env.Operations > 0 {
		s.left = env.Operations
	}
	s.move()
	return s
}

// next waits for the time of the next step; no if there is none.
func (s *session) next() bool {
	if s.err != nil || s.left == 0 {
		return false
	}
	s.left--
	if s.oneIn(moveOneIn) {
		s.move()
	}
	return s.sleep(time.Duration(s.rng.Int64N(int64(s.env.Pause) + 1)))
}

// sleep waits; no if the context ends before.
func (s *session) sleep(d time.Duration) bool {
	if d <= 0 {
		return s.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return s.ctx.Err() == nil
	case <-s.ctx.Done():
		return false
	}
}

func (s *session) oneIn(n int) bool { return s.rng.IntN(n) == 0 }

func (s *session) move() { s.client.Endpoint = s.env.Endpoints[s.rng.IntN(len(s.env.Endpoints))] }

// flee moves to one of the other members, if there are others.
func (s *session) flee() {
	if others := len(s.env.Endpoints) - 1; others > 0 {
		here := slices.Index(s.env.Endpoints, s.client.Endpoint)
		s.client.Endpoint = s.env.Endpoints[(here+1+s.rng.IntN(others))%len(s.env.Endpoints)]
	}
}

// perform does an operation and records it. What has begun is finished: only
// watches are cut short when the context ends. After that nothing begins: the
// operation comes back failed, and is not recorded; as those that are left out.
func (s *session) perform(o Operation) Operation {
	n := s.began
	s.began++
	if s.ctx.Err() != nil || s.env.Skip != nil && s.env.Skip(s.client.Process, n) {
		o.Outcome = Fail
		return o
	}
	ctx := context.Background()
	if watches(o.Op) {
		ctx = s.ctx
	}
	o = s.client.Do(ctx, o)
	if err := s.env.Recorder.Record(o); err != nil && s.err == nil {
		s.err = err
	}
	s.latest = max(s.latest, o.EtcdIndex)
	return o
}

// do performs an operation; who gets no answer may try its luck elsewhere, and
// does if nobody was there. Of a change that a member has confirmed its own view
// must not lag behind: now and then that is asked for at once.
func (s *session) do(o Operation) Operation {
	o = s.perform(o)
	if !o.Op.Reads() && o.Outcome == OK && s.looks.IntN(lookOneIn) == 0 {
		s.perform(Operation{Op: LocalRead, Key: o.Key})
	}
	if o.Outcome == OK || o.Outcome == Fail && o.ErrorCode != 0 {
		return o
	}
	switch away := s.client.unreached || o.Outcome == Fail && o.Return-o.Call < int64(gone); {
	case away:
		s.flee()
	case s.oneIn(fleeOneIn):
		s.move()
	}
	return o
}

// everywhere reads through all members, one after the other.
func (s *session) everywhere(k Kind, key string) {
	home := s.client.Endpoint
	for _, endpoint := range s.env.Endpoints {
		s.client.Endpoint = endpoint
		s.perform(Operation{Op: k, Key: key})
	}
	s.client.Endpoint = home
}

// fresh is a value that nobody else writes.
func (s *session) fresh() string {
	s.values++
	v := fmt.Sprintf("p%d-%d", s.client.Process, s.values-1)
	if s.env.Bulk > 0 && s.oneIn(2) {
		v += strings.Repeat(".", s.rng.IntN(s.env.Bulk))
	}
	return v
}

// pick draws one of several.
func pick[T any](s *session, from []T) T { return from[s.rng.IntN(len(from))] }

// chosen is a kind of operation and how often it is chosen.
type chosen struct {
	kind   Kind
	weight int
}

// choose draws a kind by weight.
func (s *session) choose(among []chosen) Kind {
	sum := 0
	for _, c := range among {
		sum += c.weight
	}
	at := s.rng.IntN(sum)
	for _, c := range among {
		if at -= c.weight; at < 0 {
			return c.kind
		}
	}
	return Read
}

// seen is what a client believes a key to hold; the zero value: nothing.
type seen struct {
	value string
	index uint64 // 0: not known
}

// learn follows what an operation on the key has told.
func (k *seen) learn(o *Operation) {
	switch {
	case o.Missing:
		*k = seen{}
	case o.Outcome == Fail && o.ErrorCode == codeTestFailed:
		*k = seen{o.Result, o.PrevModified}
	case o.Outcome != OK:
	case o.Op == Read || o.Op == LocalRead:
		*k = seen{o.Result, o.ModifiedIndex}
	case o.Op == Refresh:
		*k = seen{o.Result, o.ModifiedIndex}
	case o.Op == Write || o.Op == Create || o.Op == Update || o.Op == CAS:
		*k = seen{o.Arg, o.ModifiedIndex}
	case o.Op == Delete || o.Op == CAD || o.Op == RemoveAll:
		*k = seen{}
	}
}

// condition makes o depend on what was seen, by value, by index or by both; no if
// nothing was. Of both, the index is now and then one that has passed: then the
// value alone must not do.
func (s *session) condition(o *Operation, k seen) bool {
	by := s.rng.IntN(5)
	switch {
	case k.index != 0 && k.value != "" && by == 0:
		o.Prev, o.PrevIndex = k.value, k.index
		if k.index > 1 && s.oneIn(3) {
			o.PrevIndex--
		}
	case k.index != 0 && (by < 3 || k.value == ""):
		o.PrevIndex = k.index
	case k.value != "":
		o.Prev = k.value
	default:
		return false
	}
	return true
}

// writes tells whether operations of the kind carry a value.
func writes(k Kind) bool {
	switch k {
	case Write, Create, Update, CAS, InOrder:
		return true
	}
	return false
}
