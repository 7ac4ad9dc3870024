package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

// errand is a command line for a worker, without the program's name.
type errand struct {
	Args []string `json:"args"`
}

// errandDone is what a worker answers. What the command wrote into files is there by then.
type errandDone struct {
	Code   int           `json:"code"`      // exit status
	CPU    time.Duration `json:"cpu_nanos"` // user and system, of this errand
	Output string        `json:"output"`    // the last of it
	Last   bool          `json:"last"`      // the worker can do no more, and ends
}

// work carries out the command lines that it reads, a line of JSON each, one after the other, and answers each with a line.
// It ends with its input, or when it cannot go on.
func work(ctx context.Context, c *cli.Command, stdout, _ io.Writer) (code int, err error) {
	if err := noArguments(c); err != nil {
		return 0, err
	}
	shelf := &engineShelf{}
	defer func() { err = errors.Join(err, shelf.clear(ctx)) }()
	in, out := json.NewDecoder(c.Root().Reader), json.NewEncoder(stdout)
	for {
		var e errand
		if err := in.Decode(&e); errors.Is(err, io.EOF) {
			return 0, nil
		} else if err != nil {
			return 0, usagef("errand: %w; send lines of JSON", err)
		}
		before, said := cpuTime(), &tail{max: maxKeptOutput}
		code := run(context.WithValue(ctx, shelfKey{}, shelf), append([]string{c.Root().Name}, e.Args...), said, said)
		lost := shelf.engine != nil && shelf.engine.Lost()
		if err := out.Encode(errandDone{Code: code, CPU: cpuTime() - before, Output: string(said.kept), Last: lost}); err != nil {
			return 0, fmt.Errorf("answer: %w", err)
		}
		if lost {
			return 0, nil
		}
	}
}

// engineShelf keeps the engine of the modules that were run last: the next run is most likely of the same.
type engineShelf struct{ engine *sim.Engine }

type shelfKey struct{}

// shelved is the engine to run o in, from the worker's shelf; nil if this is no worker.
func shelved(ctx context.Context, o *sim.Options) (*sim.Engine, error) {
	s, ok := ctx.Value(shelfKey{}).(*engineShelf)
	if !ok {
		return nil, nil
	}
	if s.engine != nil && s.engine.Runs(o) {
		return s.engine, nil
	}
	err := s.clear(ctx)
	if err == nil {
		s.engine, err = sim.NewEngine(ctx, o)
	}
	return s.engine, err
}

func (s *engineShelf) clear(ctx context.Context) error {
	e := s.engine
	if s.engine = nil; e == nil {
		return nil
	}
	return e.Close(ctx)
}
