package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/sim"
)

// workerErrands is how many runs a worker makes before another takes its place: what it has not given back by then, if
// anything, goes with it.
const workerErrands = 100

// workers plays scenarios in processes of this program that play one after the other: to load a compiled module takes as
// long as a short run. A process that ends costs no more than the run it was at.
type workers struct {
	mu   sync.Mutex
	idle []*worker
}

// worker is such a process.
type worker struct {
	modules [2]string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
	stderr  *tail
	cpu     time.Duration // of the errands that it has answered
	errands int
}

// play is a player.
func (ws *workers) play(ctx context.Context, s scenario, extra ...string) outcome {
	o := outcome{scenario: s, code: -1}
	o.err = o.collect(ctx, s.command(), extra, ws.do)
	if errors.Is(o.err, errNoAnswer) {
		o.report = &report{Seed: hex(s.seed), Nodes: s.nodes, Verdict: sim.VerdictTimeout, Detail: o.err.Error()}
		o.code, o.err = sim.VerdictTimeout.ExitCode(), nil
	}
	if o.err != nil {
		o.err = fmt.Errorf("seed 0x%x: %w", s.seed, o.err)
	}
	return o
}

// do sends a worker on an errand and notes in the outcome how it ended. One that died while it was idle is not held against
// the scenario: another takes its place.
func (ws *workers) do(ctx context.Context, o *outcome, args []string) error {
	for {
		w, err := ws.take(ctx, [2]string{o.scenario.module, o.scenario.before})
		if err != nil {
			return err
		}
		sent := json.NewEncoder(w.stdin).Encode(errand{Args: args})
		if sent != nil && w.errands > 0 && ctx.Err() == nil {
			_ = w.end() // it is dead already
			continue
		}
		var done errandDone
		if sent == nil {
			sent = w.answer(o.scenario.wall+answerSlack, &done)
		}
		if sent != nil {
			ended := w.end()
			o.output = w.stderr.kept
			if state := w.cmd.ProcessState; state != nil {
				o.code, o.cpu = state.ExitCode(), state.UserTime()+state.SystemTime()-w.cpu
			}
			return errors.Join(ended, sent)
		}
		o.code, o.cpu, o.output = done.Code, done.CPU, []byte(done.Output)
		w.cpu += done.CPU
		if w.errands++; done.Last || w.errands >= workerErrands {
			return w.end()
		}
		ws.mu.Lock()
		defer ws.mu.Unlock()
		ws.idle = append(ws.idle, w)
		return nil
	}
}

// answerSlack is how much longer than a run may take its worker has for the answer. A guest that computes without ever
// calling the host holds the only thread that the limit inside the worker could use.
var answerSlack = 30 * time.Second

// errNoAnswer is about a worker that was killed because it did not answer.
var errNoAnswer = errors.New("no answer in time; a process of the run computes without end")

// answer waits for the worker's answer.
func (w *worker) answer(limit time.Duration, done *errandDone) error {
	var late atomic.Bool
	t := time.AfterFunc(limit, func() {
		late.Store(true)
		_ = w.cmd.Process.Kill() // if it has ended, so much the better
	})
	defer t.Stop()
	err := w.answers.Decode(done)
	if err != nil && late.Load() {
		err = fmt.Errorf("%w within %v", errNoAnswer, limit)
	}
	return err
}

// take returns an idle worker that has the modules, or a new one in the place of an idle one that has not.
func (ws *workers) take(ctx context.Context, modules [2]string) (*worker, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for i, w := range ws.idle {
		if w.modules == modules {
			ws.idle = append(ws.idle[:i], ws.idle[i+1:]...)
			return w, nil
		}
	}
	if len(ws.idle) > 0 {
		w := ws.idle[0]
		ws.idle = ws.idle[1:]
		_ = w.end() // how it ends says nothing about the runs, which have been answered for
	}
	return startWorker(ctx, modules)
}

func startWorker(ctx context.Context, modules [2]string) (*worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	w := &worker{modules: modules, cmd: exec.CommandContext(ctx, program, "worker"), stderr: &tail{max: maxKeptOutput}}
	w.cmd.Stderr = w.stderr
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	stdout, err := w.cmd.StdoutPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	w.answers = json.NewDecoder(stdout)
	return w, nil
}

// end lets the worker end, and waits for it.
func (w *worker) end() error {
	err := w.stdin.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if ended := w.cmd.Wait(); ended != nil {
		err = errors.Join(err, fmt.Errorf("worker: %w: %s", ended, bytes.TrimSpace(w.stderr.kept)))
	}
	return err
}

// close ends the workers that are idle, which all are when nobody plays. How they end says nothing about the runs, which
// have been answered for.
func (ws *workers) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.idle {
		_ = w.end()
	}
	ws.idle = nil
}
