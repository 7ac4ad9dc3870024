package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"holdfast/sim"
)

// verdictFailed stands in reports for a run that the simulator itself could not finish, or that tested nothing.
const verdictFailed sim.Verdict = "failed"

// report is how a run ended, for the process that started it: run and smoke write it, the commands that play many seeds
// read it.
type report struct {
	Seed    hex         `json:"seed"`
	Nodes   int         `json:"nodes"`
	Module  string      `json:"module"`
	Before  string      `json:"before,omitempty"` // module of the earlier version
	Hash    hex         `json:"hash"`
	Verdict sim.Verdict `json:"verdict"`
	Fired   string      `json:"fired,omitempty"`
	Detail  string      `json:"detail,omitempty"`
	// Operations of the clients, by outcome.
	OK      int `json:"ok"`
	Failed  int `json:"failed"`
	Unknown int `json:"unknown"`
	// Operations is how many each client began.
	Operations []int `json:"operations,omitempty"`

	Checks        int       `json:"checks"`
	CheckTimeouts int       `json:"check_timeouts"`
	Stats         sim.Stats `json:"stats"`
	// Probes is how often each rare state was reached.
	Probes       map[string]int `json:"probes,omitempty"`
	Counts       sim.Counts     `json:"counts"`
	VirtualNanos int64          `json:"virtual_nanos"`
}

// hex is a number of 64 bits, which JSON's numbers cannot hold for everybody.
type hex uint64

// MarshalText writes 0x and 16 digits.
func (h hex) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "0x%016x", uint64(h)), nil }

// UnmarshalText reads any number that Go can write.
func (h *hex) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 64)
	*h = hex(n)
	return err
}

func reportOf(rep *sim.Report) *report {
	return &report{
		Seed: hex(rep.Seed), Nodes: rep.Plan.Nodes, Module: rep.Module, Before: rep.Before, Hash: hex(rep.Hash),
		Verdict: rep.Verdict, Fired: rep.Fired, Detail: rep.Detail,
		OK: rep.OK, Failed: rep.Failed, Unknown: rep.Unknown, Operations: rep.Operations,
		Checks: len(rep.Checks), CheckTimeouts: rep.CheckTimeouts,
		Stats: rep.Stats, Probes: rep.Probes, Counts: rep.Counts, VirtualNanos: rep.VirtualNanos,
	}
}

// writeReport writes how a run ended, be it by an error, to the file name, if there is one. It gives the run's error back.
func writeReport(name string, s scenario, o sim.Options, rep *sim.Report, failed error) error {
	if name == "" || errors.As(failed, new(usageError)) {
		return failed
	}
	r := &report{Seed: hex(s.seed), Nodes: s.nodes, Module: sim.ModuleHash(o.Module), Verdict: verdictFailed}
	if failed != nil {
		r.Detail = failed.Error()
	} else {
		r = reportOf(rep)
	}
	text, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(name, append(text, '\n'), 0o644)
	}
	if err != nil {
		err = fmt.Errorf("write report: %w", err)
	}
	return errors.Join(failed, err)
}

// outcome is what is left of a child process that played a scenario.
type outcome struct {
	scenario scenario
	code     int           // exit status; -1: it ended by a signal, or was not started
	report   *report       // nil: it left none
	cpu      time.Duration // user and system
	output   []byte        // the last of it
	log      []byte        // its decision log, if it wrote one
	err      error         // why there is no report
}

// verdict is the child's, verdictFailed if it came to none.
func (o *outcome) verdict() sim.Verdict {
	if o.report == nil || o.report.Verdict == sim.VerdictOK && o.code != 0 {
		return verdictFailed
	}
	return o.report.Verdict
}

// undecided tells that a checker ran out of time and nothing else was found.
func (o *outcome) undecided() bool {
	return o.report != nil && o.report.Verdict == sim.VerdictTimeout && o.report.Fired == sim.FiredLimit
}

func (o *outcome) fired() string {
	if o.report == nil {
		return ""
	}
	return o.report.Fired
}

func (o *outcome) detail() string {
	switch {
	case o.report != nil && o.report.Detail != "":
		return o.report.Detail
	case o.err != nil:
		return o.err.Error()
	}
	return fmt.Sprintf("exit status %d", o.code)
}

// player plays a scenario somewhere else.
type player func(ctx context.Context, s scenario, extra ...string) outcome

// untilStep is the flag that stops a run half-way; such a one leaves no decision log.
const untilStep = "--until-step"

// maxKeptOutput is how much of a child's last output is kept.
const maxKeptOutput = 64 << 10

// inChild plays each scenario in a process of its own, of this same program, with the subcommand run or smoke.
func inChild(command string) player {
	return func(ctx context.Context, s scenario, extra ...string) outcome {
		o := outcome{scenario: s, code: -1}
		if o.err = o.collect(ctx, command, extra, startChild); o.err != nil {
			o.err = fmt.Errorf("seed 0x%x: %w", s.seed, o.err)
		}
		return o
	}
}

// startChild carries a command line out in a process, and notes in the outcome how that ended.
func startChild(ctx context.Context, o *outcome, args []string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	last := &tail{max: maxKeptOutput}
	cmd.Stdout, cmd.Stderr = last, last
	ended := cmd.Run()
	o.output = last.kept
	if cmd.ProcessState != nil {
		o.code, o.cpu = cmd.ProcessState.ExitCode(), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	}
	return ended
}

// collect has a command line for the scenario carried out by do, and reads what that has left.
func (o *outcome) collect(ctx context.Context, command string, extra []string, do func(context.Context, *outcome, []string) error) error {
	dir, err := os.MkdirTemp("", "holdfast-sim")
	if err != nil {
		return fmt.Errorf("directory for its report: %w", err)
	}
	defer os.RemoveAll(dir)
	said, log := filepath.Join(dir, "report.json"), filepath.Join(dir, "log")
	args := append([]string{command, "--quiet", "--report", said, "--wall", o.scenario.wall.String()}, o.scenario.args()...)
	if o.scenario.cache != "" {
		args = append(args, "--cache", o.scenario.cache)
	}
	if command != "smoke" && !slices.Contains(extra, untilStep) {
		args = append(args, "--log", log)
	}
	ended := do(ctx, o, append(args, extra...))
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if o.log, err = os.ReadFile(log); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("its decision log: %w", err)
	}
	text, err := os.ReadFile(said)
	if err != nil {
		return fmt.Errorf("it left no report: %w: %s", errors.Join(ended, err), bytes.TrimSpace(o.output))
	}
	o.report = &report{}
	if err := json.Unmarshal(text, o.report); err != nil {
		o.report = nil
		return fmt.Errorf("its report: %w", err)
	}
	return nil
}

// warm compiles the module into the cache, so that no run that is measured does it.
func warm(ctx context.Context, play player, s scenario) error {
	s.seed, s.nodes, s.duration, s.faults, s.workloads = 0, sim.MinNodes, sim.MinDuration, nil, nil
	o := play(ctx, s, untilStep, "1")
	if o.report == nil {
		return fmt.Errorf("compile %s: %w", s.module, o.err)
	}
	return nil
}

// tail keeps the last bytes of what is written to it.
type tail struct {
	max  int
	kept []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.max; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}
