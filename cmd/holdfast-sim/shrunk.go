package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

// What a shrunk log of a planted fault may have at most.
const (
	shrunkFaults  = 6
	shrunkClients = 3
)

func shrunkFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "budget", Value: defaultShrinkBudget, Usage: "CPU time of one log after which no further run is begun, but to see whether each fault is needed"},
		&cli.IntFlag{Name: "jobs", Value: 2, Usage: "runs at a time"},
		&cli.IntFlag{Name: "least", Value: 8, Usage: "how many logs have to shrink as they should"},
	}
}

// proof is what came of shrinking the log of one planted fault.
type proof struct {
	name    string
	text    string   // how it went
	lacking []string // what it does not hold
}

// proveShrinking shrinks the logs that mutants --keep has left in a directory and holds the results against what they must
// show.
func proveShrinking(ctx context.Context, c *cli.Command, stdout, stderr io.Writer) (int, error) {
	if c.Args().Len() != 1 {
		return 0, usagef("directory: %d given; name the one of mutants --keep", c.Args().Len())
	}
	logs, err := filepath.Glob(filepath.Join(c.Args().First(), "M*.log"))
	if err != nil || len(logs) == 0 {
		return 0, usagef("directory: %s: no logs of mutants in it; fill it with mutants --keep", c.Args().First())
	}
	held := 0
	for _, log := range logs {
		p, err := proveOne(ctx, c, log, stderr)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", log, err)
		}
		word := "holds"
		if len(p.lacking) > 0 {
			word = "does not hold: " + strings.Join(p.lacking, "; ")
		} else {
			held++
		}
		fmt.Fprintf(stdout, "%s %s\n  %s\n", p.name, p.text, word)
	}
	verdict, code := "ok", 0
	if held < c.Int("least") {
		verdict, code = "failed", exitFailed
	}
	fmt.Fprintf(stdout, "shrunk logs=%d hold=%d expect=%d verdict=%s\n", len(logs), held, c.Int("least"), verdict)
	return code, nil
}

func proveOne(ctx context.Context, c *cli.Command, log string, stderr io.Writer) (*proof, error) {
	d, err := openLog(log)
	if err != nil {
		return nil, err
	}
	sh, err := readShrinking(c, log, d, stderr)
	if err != nil {
		return nil, err
	}
	sh.passes, sh.scenario.module = sh.scenario.module, strings.TrimSuffix(log, ".log")+".wasm"
	for _, module := range []string{sh.scenario.module, sh.passes} {
		if _, err := readModule(module); err != nil {
			return nil, err
		}
	}
	closeAll, err := sh.open()
	if err != nil {
		return nil, err
	}
	defer closeAll()
	var said bytes.Buffer
	small, err := sh.run(ctx, d, &said)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(log+shrunkSuffix, small.log, 0o644); err != nil {
		return nil, fmt.Errorf("write what it shrank to: %w", err)
	}
	p := &proof{name: strings.TrimSuffix(filepath.Base(log), ".log"), text: strings.TrimSpace(strings.ReplaceAll(said.String(), "\n", "\n  "))}
	return p, sh.prove(ctx, small, p)
}

// prove holds a shrunk log against what it must show. That it fails in the checker in which it failed before, run has seen.
func (sh *shrinking) prove(ctx context.Context, small *outcome, p *proof) error {
	d, err := sim.ReadDecisions(bytes.NewReader(small.log))
	if err != nil {
		return err
	}
	lacks := func(format string, args ...any) { p.lacking = append(p.lacking, fmt.Sprintf(format, args...)) }
	if n := len(d.Faults); n > shrunkFaults {
		lacks("%d faults; expect %d at most", n, shrunkFaults)
	}
	if n := countClients(d); n > shrunkClients {
		lacks("%d clients; expect %d at most", n, shrunkClients)
	}
	again, err := sh.try(ctx, sh.scenario.module, d)
	if err != nil {
		return err
	}
	if !sh.alike(&again) || again.report.Hash != small.report.Hash {
		lacks("replayed it is %s in %s with hash %s", again.verdict(), again.fired(), text(again.report.Hash))
	}
	clean, err := sh.try(ctx, sh.passes, d)
	if err != nil {
		return err
	}
	if clean.verdict() != sim.VerdictOK {
		lacks("the clean build's run is %s in %s", clean.verdict(), clean.fired())
	}
	for i := range d.Faults {
		without := *d
		without.Faults = slices.Delete(slices.Clone(d.Faults), i, i+1)
		o, err := sh.try(ctx, sh.scenario.module, &without)
		if err != nil {
			return err
		}
		if o.verdict() != sim.VerdictOK {
			lacks("without fault %d (%s) it is %s in %s", d.Faults[i].ID, d.Faults[i].Kind, o.verdict(), o.fired())
		}
	}
	return nil
}

func countClients(d *sim.Decisions) int {
	n := 0
	for _, w := range d.Plan.Workloads {
		n += w.Clients
	}
	return n
}
