package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/load"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Category: categoryLocal,
		Usage: "measure a store under load, and hold it against another",
		Description: "Clients ask as fast as they are answered. --target and --against take turns in\n" +
			"short slices, A B A B ...; each pair of slices gives a ratio, above 1 when the\n" +
			"target did more, and the median of the ratios counts. With --pid the servers'\n" +
			"CPU time and memory are measured too. Keys lie in a directory of their own,\n" +
			"which is removed at the end unless --keep names it. Ctrl-C ends early and prints\n" +
			"what was measured.\n\n" +
			"  put, get     replace or read a random key   cas    compete for --hot-keys by prevIndex\n" +
			"  quorum-get   read with quorum=true          watch  a writer and its --watchers\n" +
			"  mixed        get and put by --read-percent  ttl    put a key that expires\n" +
			"  list         list a directory of 100 keys\n\n" +
			"Rates count operations; of cas: swaps that won; of watch: events delivered.",
		// Lists have commas of their own.
		DisableSliceFlagSeparator: true,
		Flags:                     benchFlags(),
		Commands:                  []*cli.Command{bareCommand()},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if _, err := arguments(cmd, 0, 0); err != nil {
				return err
			}
			o, err := parseBenchOptions(cmd)
			if err != nil {
				return err
			}
			return bench(ctx, cmd, o)
		},
	}
}

// bench measures, prints, and holds the ratios to the floor.
func bench(ctx context.Context, cmd *cli.Command, o benchOptions) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	out := cmd.Root().Writer
	var unprinted error
	report, err := load.Measure(ctx, o.Options, func(run load.Run) {
		if o.jsonFile != standardOutput && unprinted == nil {
			unprinted = printRun(out, run)
		}
	})
	report.Version = version
	if report.Interrupted {
		fmt.Fprintln(cmd.Root().ErrWriter, "holdfast bench: interrupted; the figures are of what was measured until then")
	}
	if len(report.Runs) > 0 {
		unprinted = cmp.Or(unprinted, o.writeReports(out, report))
	}
	if err != nil {
		return failMeasure(err)
	}
	return cmp.Or(unprinted, judge(o.floor, report))
}

func printRun(w io.Writer, run load.Run) error {
	var text bytes.Buffer
	load.WriteTable(&text, run)
	return write(w, text.Bytes())
}

// failMeasure words what kept a measurement from its end.
func failMeasure(err error) error {
	var unusable *load.UnusableError
	if errors.As(err, &unusable) {
		return fail("bench", unusable.Target, err, "is the store running? name its client address with --target or --against")
	}
	return fail("bench", "measuring", err, "name with --pid servers that run until the end")
}

// judge fails when a target did nothing or a ratio lies below the floor.
func judge(floor load.Floor, report load.Report) error {
	for _, run := range report.Runs {
		for _, target := range run.Targets {
			if target.Operations == 0 {
				return fail("bench", target.Target, fmt.Errorf("%s: no operation succeeded: %s", run.Title(), target.ErrorSample),
					"see that the store has a leader and takes this request")
			}
		}
	}
	if misses := floor.Misses(report); len(misses) > 0 {
		return fail("bench", "below the floor", errors.New(strings.Join(misses, "; ")),
			"look at the slices with --json before blaming the noise")
	}
	return nil
}

// writeReports writes the JSON and the HTML that were asked for.
func (o benchOptions) writeReports(out io.Writer, report load.Report) error {
	if o.jsonFile != "" {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
		if o.jsonFile == standardOutput {
			return cmp.Or(printRaw(out, text), o.writeHTML(report))
		}
		if err := writeReport("--json", o.jsonFile, append(text, '\n')); err != nil {
			return err
		}
	}
	return o.writeHTML(report)
}

func (o benchOptions) writeHTML(report load.Report) error {
	if o.htmlFile == "" {
		return nil
	}
	var page bytes.Buffer
	if err := load.WriteHTML(&page, report); err != nil {
		return fmt.Errorf("lay out page: %w", err)
	}
	return writeReport("--html", o.htmlFile, page.Bytes())
}

func writeReport(flag, name string, text []byte) error {
	if err := os.WriteFile(name, text, 0o644); err != nil {
		return fail("bench", flag+" "+name, err, "name a file that can be written")
	}
	return nil
}

// bareCommand is the floor under a GET. It is not in the help: it serves our
// own comparisons.
func bareCommand() *cli.Command {
	return &cli.Command{
		Name: "bare", Hidden: true,
		Usage: "answer every request as a store answers a GET, with nothing but fasthttp",
		Description: "It puts a key of --value-bytes at the first of --endpoints, notes the bytes of the\n" +
			"answer to a GET, removes the key, and serves these bytes until it is stopped, for\n" +
			"\"holdfast bench --workload get --against bare=URL --pid bare=PID\".",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "`HOST:PORT` to serve on", Value: "127.0.0.1:4300", Local: true},
			boundedFlag("value-bytes", defaultValueBytes, 0, load.MaxValueBytes, "`BYTES` of the value"),
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if _, err := arguments(cmd, 0, 0); err != nil {
				return err
			}
			addresses, err := parseAddresses(cmd.String("endpoints"), cmd.Duration("timeout"))
			if err != nil {
				return usage(cmd, "--endpoints: %v", err)
			}
			return serveBare(ctx, cmd, addresses[0])
		},
	}
}

func serveBare(ctx context.Context, cmd *cli.Command, like string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	answer, err := load.CaptureAnswer(like, cmd.Int("value-bytes"), cmd.Duration("timeout"))
	if err != nil {
		return fail("bench bare", like, err, "is the store running? name its address with --endpoints")
	}
	listener, err := net.Listen("tcp", cmd.String("listen"))
	if err != nil {
		return fail("bench bare", "--listen "+cmd.String("listen"), err, "stop what uses the port, or choose another")
	}
	fmt.Fprintf(cmd.Root().ErrWriter, "holdfast bench bare: http://%s answers as %s does\n", listener.Addr(), like)
	if err := load.ServeBare(ctx, listener, answer); err != nil {
		return fail("bench bare", listener.Addr().String(), err, "start it again")
	}
	return nil
}
