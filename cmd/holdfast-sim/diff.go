package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

func diffFlags() []cli.Flag {
	flags := moduleFlags()
	flags[0] = &cli.StringFlag{Name: "module", Usage: "play both logs with this guest, a `FILE`, and tell where the runs part (default: the logs are compared, and not played)"}
	return append(append(flags, beforeFlags()...),
		&cli.StringFlag{Name: "other", Usage: "play the second log with this guest, a `FILE` (default: that of --module); one log is enough then: it is played with both"},
		&cli.BoolFlag{Name: "other-module", Usage: "play logs although they were made with other modules"},
	)
}

// side is one of two logs, and how it is to be played.
type side struct {
	name, file string
	log        *sim.Decisions
	module     []byte
	before     []byte // of the earlier version; nil: none
}

// diffLogs tells where two decision logs part and, if it is given modules, where the runs do. Whether they do is an answer, and
// no failure.
func diffLogs(ctx context.Context, c *cli.Command, stdout, _ io.Writer) (int, error) {
	a, b, err := readSides(c)
	if err != nil {
		return 0, err
	}
	for _, s := range []*side{a, b} {
		fmt.Fprintf(stdout, "%s  %s: seed=0x%x module=%s commit=%s nodes=%d faults=%d%s\n", s.name, s.file, s.log.Seed, recordedModules(s.log), orUnknown(s.log.Commit),
			s.log.Plan.Nodes, len(s.log.Faults), recordedEnd(s.log))
	}
	changes := decisionChanges(a.log, b.log)
	for _, line := range changes {
		fmt.Fprintln(stdout, line)
	}
	if len(changes) == 0 {
		fmt.Fprintln(stdout, "the decisions are the same")
	}
	if a.module == nil {
		return 0, nil
	}
	return 0, compareRuns(ctx, c, a, b, stdout)
}

func recordedModules(d *sim.Decisions) string {
	if d.Before != "" {
		return d.Module + " before=" + d.Before
	}
	return d.Module
}

func recordedEnd(d *sim.Decisions) string {
	if !d.Untouched {
		return " (edited)"
	}
	return fmt.Sprintf(" hash=0x%016x verdict=%s", d.Hash, d.Verdict)
}

func readSides(c *cli.Command) (a, b *side, err error) {
	files, module, other := c.Args().Slice(), c.String("module"), c.String("other")
	if other == "" {
		other = module
	}
	switch {
	case c.Duration("wall") <= 0:
		return nil, nil, usagef("wall: %v; choose a time above nought", c.Duration("wall"))
	case c.IsSet("other") && !c.IsSet("module"):
		return nil, nil, usagef("other: %s: with which other module? name one with --module", other)
	case len(files) == 1 && c.IsSet("other"):
		files = append(files, files[0])
	case len(files) != 2:
		return nil, nil, usagef("log: %d given; name two FILES that run --log wrote, or one and two modules, --module and --other", len(files))
	}
	a, b = &side{name: "A", file: files[0]}, &side{name: "B", file: files[1]}
	for i, s := range []*side{a, b} {
		name := []string{module, other}[i]
		if s.log, err = openLog(s.file); err != nil {
			return nil, nil, err
		}
		if name == "" {
			continue
		}
		if s.module, err = readModule(name); err != nil {
			return nil, nil, err
		}
		if s.before, err = readBefore(c.String("before")); err == nil {
			err = sameBefore(c, s.log, s.before)
		}
		if err != nil {
			return nil, nil, err
		}
		if c.IsSet("other") || c.Bool("other-module") {
			continue
		}
		if is := sim.ModuleHash(s.module); is != s.log.Module {
			return nil, nil, usagef("module: %s: its hash is %s and that of %s is %s; name the log's module, a second one with --other, or play it with this one by --other-module",
				name, is, s.file, s.log.Module)
		}
	}
	return a, b, nil
}

// decisionChanges lists in what two logs differ: the seed, the plan's fields, the faults.
func decisionChanges(a, b *sim.Decisions) []string {
	var out []string
	if a.Seed != b.Seed {
		out = append(out, fmt.Sprintf("seed: 0x%x in A, 0x%x in B", a.Seed, b.Seed))
	}
	out = append(out, fieldChanges("plan", a.Plan, b.Plan)...)
	of := func(d *sim.Decisions, id int) *sim.Fault {
		if i := slices.IndexFunc(d.Faults, func(f sim.Fault) bool { return f.ID == id }); i >= 0 {
			return &d.Faults[i]
		}
		return nil
	}
	for i := range a.Faults {
		f := &a.Faults[i]
		switch g := of(b, f.ID); {
		case g == nil:
			out = append(out, "only in A: "+faultLine(f))
		default:
			out = append(out, fieldChanges(fmt.Sprintf("fault #%d (%s)", f.ID, f.Kind), f, g)...)
		}
	}
	for i := range b.Faults {
		if of(a, b.Faults[i].ID) == nil {
			out = append(out, "only in B: "+faultLine(&b.Faults[i]))
		}
	}
	return out
}

func faultLine(f *sim.Fault) string {
	text := fmt.Sprintf("%s %s at %.6f s, %s", f.Kind, f.Member, float64(f.At)/1e9, f)
	if f.Other != "" {
		text += ", other end " + f.Other
	}
	return text
}

// fieldChanges lists the fields, by their names in a log, in which two values of one type differ.
func fieldChanges(what string, a, b any) []string {
	left, right := map[string]string{}, map[string]string{}
	flatten("", a, left)
	flatten("", b, right)
	names := make([]string, 0, len(left))
	for name := range left {
		names = append(names, name)
	}
	for name := range right {
		if _, both := left[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []string
	for _, name := range names {
		if left[name] != right[name] {
			out = append(out, fmt.Sprintf("%s: %s: %s in A, %s in B", what, name, orNothing(left[name]), orNothing(right[name])))
		}
	}
	return out
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// flatten lists a value's fields as a log has them, those within others by a path with dots. Numbers stay as they are written.
func flatten(path string, v any, to map[string]string) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plans and faults are numbers and names
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		panic(err) // it was just written
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for k, one := range x {
				walk(strings.TrimPrefix(path+"."+k, "."), one)
			}
		case []any:
			for i, one := range x {
				walk(fmt.Sprintf("%s.%d", path, i), one)
			}
		default:
			to[path] = fmt.Sprint(x)
		}
	}
	walk(path, tree)
}
