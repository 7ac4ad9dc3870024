package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain lets scripts run this very code as the program "holdfast".
func TestMain(m *testing.M) {
	testscript.Main(withoutLeaks{m}, map[string]func(){"holdfast": main})
}

// withoutLeaks runs tests and fails if they leave a goroutine behind. It is not
// asked where this program is "holdfast".
type withoutLeaks struct{ tests testscript.TestingM }

// Run implements testscript.TestingM.
func (w withoutLeaks) Run() int {
	code := w.tests.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintf(os.Stderr, "goroutines left behind: %v\n", err)
		code = 1
	}
	return code
}

// TestScripts types commands and compares what comes back, byte for byte, and
// what went over the wire. The server follows a play written in each script:
// see serve_test.go.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/scripts",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOLDFAST_TIMEOUT", "2s")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"serve": serveCommand, "served": servedCommand, "exits": exitsCommand, "archive": archiveCommand,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// exitsCommand is "exits CODE PROGRAM ARGUMENT...": it runs the program and
// fails unless it ends with that exit code.
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
