package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

func corpusFlags() []cli.Flag {
	return []cli.Flag{&cli.StringFlag{Name: "out", Value: onStdout, Usage: "the `FILE` to write; -: the standard output"}}
}

// writeCorpus chooses a corpus of the seeds in ledgers of sweeps.
func writeCorpus(_ context.Context, c *cli.Command, stdout, stderr io.Writer) (int, error) {
	names := c.Args().Slice()
	if len(names) == 0 {
		return 0, usagef("ledger: none given; name files that sweep --resume wrote")
	}
	var all []entry
	module := ""
	for _, name := range names {
		of, entries, err := readLedger(name)
		if err != nil {
			return 0, err
		}
		if module != "" && module != of {
			return 0, usagef("ledger: %s: it is of module %s, and others are of %s; name ledgers of one module", name, of, module)
		}
		module, all = of, append(all, entries...)
	}
	chosen, missing := chooseCorpus(all)
	for _, p := range missing {
		fmt.Fprintf(stderr, "missing: probe %q: reached by none of %d seeds; add the ledger of another sweep\n", p, len(all))
	}
	if len(missing) > 0 {
		return exitFailed, nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %d seeds that reach every probe %d times, if so many of %d did; chosen for module %s.\n", len(chosen), coverings, len(all), module)
	fmt.Fprintf(&b, "# Written by %s. A seed's probes are those that it was chosen for.\n", renewCorpus)
	for _, k := range chosen {
		fmt.Fprintln(&b, k)
	}
	return 0, writeTo(c.String("out"), stdout, func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	})
}

// readLedger reads the seeds of a ledger that is left as it is. They must have chosen everything themselves: the corpus is
// played like that.
func readLedger(name string) (module string, of []entry, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", nil, usagef("ledger: %w; name a file that sweep --resume wrote", err)
	}
	defer f.Close()
	var head ledgerHead
	var duration time.Duration
	_, err = readLines(f, func(line []byte, n int) error {
		if n == 1 {
			err := json.Unmarshal(line, &head)
			if err == nil {
				duration, err = ownChoice(head.Flags)
			}
			return err
		}
		e, err := readEntry(line, duration)
		of = append(of, e)
		return err
	})
	if err != nil {
		return "", nil, usagef("ledger: %s: %w; name a file that sweep --resume wrote, without --workload, --faults, --ops and --pace", name, err)
	}
	return head.Module, of, nil
}

// ownChoice takes the duration from a sweep's flags, which must leave everything else but the members to the seeds.
func ownChoice(flags string) (time.Duration, error) {
	var nodes int
	var text string
	if _, err := fmt.Sscanf(flags, "--nodes %d --duration %s", &nodes, &text); err != nil {
		return 0, fmt.Errorf("flags %q: %w", flags, err)
	}
	rest := strings.Fields(flags)[4:]
	if len(rest) > 0 && (rest[0] != "--module" || len(rest) != 2) {
		return 0, fmt.Errorf("flags %q leave the seeds no choice", flags)
	}
	return time.ParseDuration(text)
}
