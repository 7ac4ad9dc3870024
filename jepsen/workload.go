package jepsen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"holdfast/kernel"
)

// What an Env leaves open.
const (
	// DefaultTimeout bounds one operation of a workload.
	DefaultTimeout = time.Second
	// DefaultWatchTimeout bounds a long poll and a stream.
	DefaultWatchTimeout = 3 * time.Second
)

// Env is where a workload's clients work. Endpoints, Now and Recorder must be
// set, and at least one of Clients.
type Env struct {
	// Clients work at one time; their processes are Process, Process+1 and so
	// on, which no other client of the history may have.
	Clients, Process int
	// Keys is how many keys they share; 0: the workload's own choice. Few keys
	// make much contention.
	Keys int
	// Operations is how many steps each client makes, one operation or a few
	// that belong together; 0: until the context ends.
	Operations int
	// Endpoints are the members. A client stays with one for long, so that some
	// go on talking to a member that leads no more.
	Endpoints []string
	// Dial and Now are the clients' (see Client).
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	Now  func() int64
	// Ring is how many events the members remember; 0: the kernel's default. Some
	// watches begin about there.
	Ring int
	// Seed decides, with the process, all that a client draws.
	Seed uint64
	// Bulk, if not 0, makes half of the values up to so many bytes long: log
	// records then cross the sectors of a disk.
	Bulk int
	// Pause is the longest that a client waits before a step; waits are drawn
	// evenly from 0 to it.
	Pause time.Duration
	// Timeout and WatchTimeout bound an operation, and a poll or stream; 0:
	// DefaultTimeout and DefaultWatchTimeout.
	Timeout, WatchTimeout time.Duration
	// PatientUntil is the time, on the clock of Now, for which ReadBack waits:
	// before it members may still be on their way back.
	PatientUntil int64
	// Skip, if set, leaves out operations: the n-th of a process, from 0, comes
	// back failed and is neither asked nor recorded if it says so. It must not say
	// so of all there will ever be.
	Skip func(process, n int) bool
	// Recorder takes each operation when it has ended.
	Recorder *Recorder
}

// workload is one kind of work, done by each of its clients below the directory
// of its name.
type workload struct {
	name string
	work func(*session)
	// keys is how many keys its clients share if nobody says otherwise; 0: its
	// tree is fixed.
	keys int
}

func (w *workload) root() string { return "/" + w.name }

// names lists the keys that clients share, so many if that is not 0.
func (w *workload) names(keys int) []string {
	if keys == 0 {
		keys = w.keys
	}
	if w.keys == 0 {
		return nil
	}
	list := make([]string, keys)
	for i := range list {
		list[i] = fmt.Sprintf("%s/%d", w.root(), i)
	}
	return list
}

// allWorkloads gives them in the order in which Workloads lists them.
func allWorkloads() []workload {
	return []workload{
		{"register", workRegister, 4},
		{"cas", workCAS, 3},
		{"queue", workQueue, 0},
		{"dirs", workDirs, 0},
		{"ttl", workTTL, 4},
		{"lock", workLock, 1},
		{"watch", workWatch, 0},
		{"mixed", workMixed, 0},
	}
}

// Workloads lists the names that RunWorkload knows. A workload writes only
// below the directory of its name: /register and so on.
func Workloads() []string {
	var names []string
	for _, w := range allWorkloads() {
		names = append(names, w.name)
	}
	return names
}

func findWorkload(name string) (workload, error) {
	for _, w := range allWorkloads() {
		if w.name == name {
			return w, nil
		}
	}
	return workload{}, fmt.Errorf("workload %q: not known; choose of %v", name, Workloads())
}

// PauseFor is the Pause with which so many clients make about perSecond steps a
// second together, as long as they are answered quickly.
func PauseFor(clients int, perSecond float64) time.Duration {
	return time.Duration(2 * float64(clients) / perSecond * float64(time.Second))
}

// RunWorkload lets the clients work until ctx ends or their steps are done.
// What is under way when ctx ends is finished, but for watches, which end. The
// error is the Env's or the recorder's; operations that fail are no error.
func RunWorkload(ctx context.Context, name string, env Env) error {
	w, err := findWorkload(name)
	if err != nil {
		return err
	}
	if err := env.complete(); err != nil {
		return fmt.Errorf("workload %s: %w", name, err)
	}
	errs := make([]error, env.Clients)
	var wg sync.WaitGroup
	for i := range env.Clients {
		wg.Go(func() {
			s := newSession(ctx, &w, &env, i)
			defer s.client.Close()
			w.work(s)
			errs[i] = s.err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (env *Env) complete() error {
	switch {
	case len(env.Endpoints) == 0:
		return errors.New("no endpoints; name one at least")
	case env.Clients < 1 || env.Process < 0 || env.Keys < 0 || env.Operations < 0 || env.Pause < 0 || env.Ring < 0:
		return fmt.Errorf("%d clients from process %d, %d keys, %d operations, pause %v; expect one client at least, and nothing negative",
			env.Clients, env.Process, env.Keys, env.Operations, env.Pause)
	case env.Now == nil || env.Recorder == nil:
		return errors.New("no clock or no recorder; set Now and Recorder")
	}
	if env.Ring == 0 {
		env.Ring = kernel.DefaultHistoryEvents
	}
	if env.Timeout <= 0 {
		env.Timeout = DefaultTimeout
	}
	if env.WatchTimeout <= 0 {
		env.WatchTimeout = DefaultWatchTimeout
	}
	return nil
}

// How ReadBack deals with a member that does not answer: for how long it goes on
// asking after the last answer, the pause after each question without one, and
// how long each waits at least, whatever the patience of the clients before it.
// A watch is there for its head and waits for no event.
const (
	finalPatience = 6 * time.Second
	finalPause    = 200 * time.Millisecond
	finalTimeout  = time.Second
	finalWatch    = 500 * time.Millisecond
)

// Finished is a workload that has come to its end.
type Finished struct {
	Name string
	Keys int // as in its Env
}

// ReadBack writes the key "/final/0", as process env.Process, through the first
// member that confirms it: whoever takes nothing new any more cannot have it. Then
// it reads what workloads have left through every member, one after the other: for each workload in its order a List of its
// directory "/NAME", then a Read of each of the keys that its clients shared,
// "/NAME/0" and so on; at last it makes one Watch of "/", recursive, for half a
// second. What is not answered, or of the Watch has no head, is asked for again
// until it is; but a member that has given no answer for 6 seconds is left alone,
// with all that was still to be asked. It is for when everybody else has
// finished, and waits for env.PatientUntil; the end of ctx breaks it off.
func ReadBack(ctx context.Context, work []Finished, env Env) error {
	env.Clients = 1
	if err := env.complete(); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	var reads []Operation
	for _, f := range work {
		w, err := findWorkload(f.Name)
		if err != nil {
			return fmt.Errorf("read back: %w", err)
		}
		reads = append(reads, Operation{Op: List, Key: w.root()})
		for _, key := range w.names(f.Keys) {
			reads = append(reads, Operation{Op: Read, Key: key})
		}
	}
	reads = append(reads, Operation{Op: Watch, Key: "/", Recursive: true})
	final := &workload{name: "final"}
	s := newSession(ctx, final, &env, 0)
	defer s.client.Close()
	s.client.Timeout, s.client.WatchTimeout = max(s.client.Timeout, finalTimeout), finalWatch
	s.sleep(time.Duration(env.PatientUntil - env.Now()))
	ask := append([]Operation{{Op: Write, Key: final.root() + "/0", Arg: s.fresh()}}, reads...)
	for _, endpoint := range env.Endpoints {
		s.client.Endpoint = endpoint
		if s.readBack(ask) {
			ask = reads
		}
	}
	return s.err
}

// readBack asks one member, until patience is at its end. It tells whether there
// was any answer.
func (s *session) readBack(reads []Operation) bool {
	answered := s.env.Now()
	for i := 0; i < len(reads) && s.err == nil; {
		o := s.perform(reads[i])
		if o.Outcome == OK && (o.Op != Watch || o.EtcdIndex != 0) {
			i, answered = i+1, o.Return
			continue
		}
		if s.env.Now()-answered >= int64(finalPatience) || !s.sleep(finalPause) {
			return i > 0
		}
	}
	return true
}
