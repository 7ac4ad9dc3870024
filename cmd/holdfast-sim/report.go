package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"holdfast/sim"
	"holdfast/sim/story"

	"github.com/urfave/cli/v3"
)

// onStdout is the file name that means the standard output.
const onStdout = "-"

func reportFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "out", DefaultText: "the log's name with .html", Usage: "write the page to `FILE`; empty: no page"},
		&cli.StringFlag{Name: "text", Value: onStdout, Usage: "write the story as text to `FILE`; - is the standard output, empty: no text"},
		&cli.StringFlag{Name: "history", Usage: "write the clients' history, JSON lines, to `FILE`"},
		&cli.StringFlag{Name: "report", Usage: "write how it ended to `FILE`, as JSON"},
	}
}

// reportLog plays a decision log and tells the run.
func reportLog(ctx context.Context, c *cli.Command, stdout, _ io.Writer) (int, error) {
	d, err := readLog(c)
	if err != nil {
		return 0, err
	}
	s, o, err := replayed(c, d)
	if err != nil {
		return 0, err
	}
	page := c.String("out")
	if !c.IsSet("out") {
		page = strings.TrimSuffix(c.Args().First(), filepath.Ext(c.Args().First())) + ".html"
	}
	if page == c.Args().First() {
		return 0, usagef("out: %s: it is the log; name another file", page)
	}
	o.Recording, o.Commit = &sim.Recording{}, commit()
	rep, err := recorded(ctx, c, o)
	if err = writeReport(c.String("report"), s, o, rep, err); err != nil {
		return 0, err
	}
	src := &story.Source{Log: filepath.Base(c.Args().First()), Commit: o.Commit, Report: rep, Recording: o.Recording}
	told := story.Make(src)
	err = errors.Join(writeTo(c.String("text"), stdout, told.WriteText), writeTo(page, stdout, told.WritePage))
	if err != nil {
		return 0, err
	}
	if page != "" && page != onStdout {
		fmt.Fprintf(stdout, "page: %s\n", page)
	}
	fmt.Fprintln(stdout, rep.Line())
	return rep.Verdict.ExitCode(), nil
}

// recorded plays a run that is looked at, and writes its history if that is wanted.
func recorded(ctx context.Context, c *cli.Command, o sim.Options) (*sim.Report, error) {
	history, closeFile, err := create(c.String("history"))
	if err != nil {
		return nil, err
	}
	o.History = history
	rep, err := withinWall(ctx, c, o)
	if err = errors.Join(err, closeFile()); err != nil {
		return nil, err
	}
	if rep.Verdict == sim.VerdictTimeout && rep.Fired == "" {
		return nil, fmt.Errorf("report: %w after %v: %s; allow more with --wall", sim.ErrWallTime, c.Duration("wall"), rep.Detail)
	}
	return rep, nil
}

// writeTo writes to a file, to the standard output, or nowhere.
func writeTo(name string, stdout io.Writer, write func(io.Writer) error) error {
	if name == onStdout {
		return write(stdout)
	}
	w, closeFile, err := create(name)
	if err != nil || w == nil {
		return err
	}
	return errors.Join(write(w), closeFile())
}
