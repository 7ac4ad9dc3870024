//go:build unix

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Injector carries a plan out. Its methods may be called from several
// goroutines.
type Injector struct {
	plan    Plan
	library sync.Mutex // held while the library appends

	mu     sync.Mutex // taken after library
	counts []int      // matching operations, by rule
	record *recorder
}

// FromEnvironment is the process's one injector, nil if the environment holds no
// plan. A plan that cannot be carried out ends the process with exit code 2.
var FromEnvironment = sync.OnceValue(func() *Injector {
	text, ok := os.LookupEnv(Environment)
	if !ok {
		return nil
	}
	plan, err := parsePlan(text)
	var i *Injector
	if err == nil {
		i, err = New(plan)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "holdfast: %v\n", err)
		os.Exit(2)
	}
	return i
})

// New takes all that is in the plan's root for durable, and begins to record.
func New(plan Plan) (*Injector, error) {
	i := &Injector{plan: plan, counts: make([]int, len(plan.Rules))}
	if plan.Record == "" {
		return i, nil
	}
	var err error
	i.record, err = newRecorder(plan.Root, plan.Record)
	return i, err
}

// Plan is what the injector carries out.
func (i *Injector) Plan() Plan { return i.plan }

// Do carries out the operation op on the file or directory at path by calling
// do, unless a rule has it otherwise. A sync or syncdir that do has answered with
// nil is recorded as of its call.
func (i *Injector) Do(op, path string, do func() error) error {
	return i.do(op, path, do, i.killElsewhere)
}

// Append is Do for an append to the last segment of the log, at path, by a
// library that syncs a segment which is full and then makes the next, unasked:
// filled says whether it did, undo takes the next segment back. The process ends
// beside it (in another goroutine) only before or after all of that: what the
// library synced could not have been recorded in the midst.
func (i *Injector) Append(path string, do func() error, filled func() (bool, error), undo func() error) error {
	i.library.Lock()
	defer i.library.Unlock()
	kill := func() {
		full, err := filled()
		if err == nil && full {
			err = undo()
		}
		i.kill(err)
	}
	if err := i.do("append", path, do, kill); err != nil {
		return err
	}
	if full, err := filled(); err != nil || !full {
		return err
	}
	return i.do("fill", path, func() error { return nil }, kill)
}

func (i *Injector) do(op, path string, do func() error, kill func()) error {
	switch action := i.next(op, path); action {
	case Kill:
		kill()
	case KillAfter:
		if err := do(); err != nil {
			return err
		}
		kill()
	case NoSpace:
		return &os.PathError{Op: op, Path: path, Err: syscall.ENOSPC}
	case IOError:
		return &os.PathError{Op: op, Path: path, Err: syscall.EIO}
	case Hang:
		select {}
	case Omit:
		return nil
	}
	note, err := i.see(op, path)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return note()
}

// below is a path relative to the root; inside tells whether it lies there.
func (i *Injector) below(path string) (name string, inside bool) {
	name, err := filepath.Rel(i.plan.Root, path)
	if err != nil {
		return path, false
	}
	return filepath.ToSlash(name), filepath.IsLocal(name)
}

// next counts an operation and returns what is to happen to it, "" for nothing.
func (i *Injector) next(op, path string) Action {
	name, _ := i.below(path)
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, r := range i.plan.Rules {
		if !r.due(op, name, &i.counts[n]) {
			continue
		}
		if i.record != nil {
			i.record.act(fmt.Sprintf("%s: %s %s", r.Do, op, name))
		}
		return r.Do
	}
	return ""
}

// killElsewhere ends the process while no append is under way.
func (i *Injector) killElsewhere() {
	i.library.Lock()
	i.kill(nil)
}

// kill ends the process as a power cut does. It holds the lock, so that no
// record is half written. With an error of what had to be done before, it would
// pass for an end elsewhere.
func (i *Injector) kill(err error) {
	i.mu.Lock()
	if err == nil {
		err = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// see looks at what a sync is about to make durable; note records it.
func (i *Injector) see(op, path string) (note func() error, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, inside := i.below(path)
	switch {
	case i.record == nil || !inside:
	case op == "sync" || op == "fill":
		return i.record.file(path)
	case op == "syncdir":
		return i.record.directory(path)
	}
	return func() error { return nil }, nil
}
