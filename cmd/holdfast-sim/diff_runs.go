package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

// What is shown around the first step in which two runs differ.
const (
	stepsBefore  = 4
	stepsAfter   = 1
	eventsBefore = 3
)

// compareRuns plays both sides and tells where they part: in their steps, which are host calls and differ first, and in what
// happened, which people understand. Two builds may differ in a step that means nothing.
func compareRuns(ctx context.Context, c *cli.Command, a, b *side, stdout io.Writer) error {
	recs := [2]*sim.Recording{{}, {}}
	first, err := a.play(ctx, c, func(o *sim.Options) { o.Record, o.Recording = true, recs[0] })
	if err != nil {
		return err
	}
	second, err := b.play(ctx, c, func(o *sim.Options) { o.Recording = recs[1] })
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "A  %s\nB  %s\n", first.Line(), second.Line())
	if first.Hash == second.Hash {
		fmt.Fprintln(stdout, "the runs are the same, step by step")
		return nil
	}
	held, err := b.play(ctx, c, func(o *sim.Options) { o.Against = first.Trace })
	if err != nil {
		return err
	}
	if d := held.Diverged; d != nil {
		fmt.Fprintf(stdout, "steps part at %d, at %.9f s\n", d.Step, float64(d.At)/1e9)
		for _, s := range []*side{a, b} {
			if err := s.showSteps(ctx, c, d.Step, stdout); err != nil {
				return err
			}
		}
	}
	showEvents(recs[0].Acts, recs[1].Acts, stdout)
	return nil
}

// play plays a side's log with its module.
func (s *side) play(ctx context.Context, c *cli.Command, want func(*sim.Options)) (*sim.Report, error) {
	o, err := scenario{cache: c.String("cache")}.cached()
	if err != nil {
		return nil, err
	}
	log := *s.log
	log.Untouched = false // it may be of another module; what it once came to is not asked
	o.Decisions, o.Module, o.Before, o.Commit = &log, s.module, s.before, commit()
	want(&o)
	rep, err := withinWall(ctx, c, o)
	if err != nil {
		return nil, fmt.Errorf("play %s: %w", s.file, err)
	}
	if !whole(rep) {
		return nil, fmt.Errorf("play %s: %w after %v; allow more with --wall", s.file, sim.ErrWallTime, c.Duration("wall"))
	}
	return rep, nil
}

// showSteps plays a side up to a step, and shows it with a few around it.
func (s *side) showSteps(ctx context.Context, c *cli.Command, step uint64, stdout io.Writer) error {
	w := &stepWindow{from: max(step, stepsBefore+1) - stepsBefore, to: step + stepsAfter}
	_, err := s.play(ctx, c, func(o *sim.Options) { o.HashLog, o.UntilStep = w, w.to })
	for _, line := range w.lines {
		mark := " "
		if line.step == step {
			mark = ">"
		}
		fmt.Fprintf(stdout, "%s %s %s\n", s.name, mark, line.text)
	}
	return err
}

// stepWindow keeps some lines of a hash log, which come in pieces of any size.
type stepWindow struct {
	from, to uint64
	partial  []byte
	step     uint64 // of the line before
	lines    []stepLine
}

type stepLine struct {
	step uint64
	text string
}

// Write implements io.Writer; it never fails.
func (w *stepWindow) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			w.partial = append(w.partial, b...)
			return n, nil
		}
		w.step++ // a line a step, from 1
		if w.step >= w.from && w.step <= w.to {
			w.lines = append(w.lines, stepLine{w.step, string(append(w.partial, b[:i]...))})
		}
		w.partial, b = w.partial[:0], b[i+1:]
	}
}

// showEvents names the first line in which two timelines differ, and shows a few before it.
func showEvents(a, b []sim.Act, stdout io.Writer) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) && i == len(b) {
		fmt.Fprintln(stdout, "what happened is the same: no line of the timelines differs")
		return
	}
	at := int64(1<<63 - 1)
	for _, acts := range [][]sim.Act{a, b} {
		if i < len(acts) {
			at = min(at, acts[i].At)
		}
	}
	fmt.Fprintf(stdout, "events part at %.6f s\n", float64(at)/1e9)
	for _, act := range a[max(i-eventsBefore, 0):i] {
		fmt.Fprintf(stdout, "both %s\n", actLine(&act))
	}
	for _, s := range []struct {
		name string
		acts []sim.Act
	}{{"A", a}, {"B", b}} {
		if i == len(s.acts) {
			fmt.Fprintf(stdout, "%s  > nothing more\n", s.name)
		}
		for _, act := range s.acts[i:min(i+2, len(s.acts))] {
			fmt.Fprintf(stdout, "%s  > %s\n", s.name, actLine(&act))
		}
	}
}

func actLine(a *sim.Act) string {
	return fmt.Sprintf("%12.6f  %-4s  %-10s  %s", float64(a.At)/1e9, a.Who, a.What, a.Detail)
}
