//go:build etcd

package acceptance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

// patience bounds every wait for something that will come.
const patience = 10 * time.Second

// eachServer runs a test against etcd and against Holdfast, each fresh, with a
// single member. binDir holds the holdfast program.
func eachServer(t *testing.T, test func(t *testing.T, endpoint, binDir string)) {
	binDir := t.TempDir()
	holdfast, err := process.BuildHoldfast(binDir)
	require.NoError(t, err)
	for _, program := range []process.Program{process.TestEtcd(t), holdfast} {
		t.Run("on "+program.Title, func(t *testing.T) {
			member := process.TestCluster(t, program, 1).Members[0]
			test(t, member.ClientURL, binDir)
		})
	}
}

// TestScripts runs the scripts in testdata with etcdctl and with holdfast as
// the client. In a script $CTL is the client and $DIR a directory of the
// store that nothing else uses.
func TestScripts(t *testing.T) {
	_, err := exec.LookPath("etcdctl")
	require.NoError(t, err, "etcdctl: not found in PATH; install it with: apt-get install etcd-client")
	eachServer(t, func(t *testing.T, endpoint, binDir string) {
		for _, client := range []string{"etcdctl", "holdfast"} {
			t.Run("by "+client, func(t *testing.T) {
				testscript.Run(t, testscript.Params{
					Dir:                 "testdata",
					RequireExplicitExec: true,
					Setup: func(env *testscript.Env) error {
						env.Setenv("PATH", binDir+string(os.PathListSeparator)+env.Getenv("PATH"))
						env.Setenv("CTL", client)
						env.Setenv("DIR", "/"+client+"-"+filepath.Base(env.WorkDir))
						env.Setenv("ENDPOINT", endpoint)
						env.Setenv("ETCDCTL_API", "2")
						env.Setenv("ETCDCTL_ENDPOINTS", endpoint)
						env.Setenv("HOLDFAST_ENDPOINTS", endpoint)
						return nil
					},
					Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
						"watchers": watchersCommand, "file": fileCommand, "setenv": setenvCommand,
					},
				})
			})
		}
	})
}

// watchersCommand is "watchers N": it waits until the store counts N watchers.
func watchersCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: watchers N")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	waitFor(ts, func() error {
		response, err := http.Get(ts.Getenv("ENDPOINT") + "/v2/stats/store")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		var stats struct{ Watchers int }
		if err := json.NewDecoder(response.Body).Decode(&stats); err != nil {
			return err
		}
		if stats.Watchers != want {
			return fmt.Errorf("%d watchers, want %d", stats.Watchers, want)
		}
		return nil
	})
}

// fileCommand is "file NAME PATTERN": it waits until the file matches.
func fileCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: file NAME PATTERN")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	waitFor(ts, func() error {
		content, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && !pattern.Match(content) {
			err = fmt.Errorf("%s does not match %s:\n%s", args[0], args[1], content)
		}
		return err
	})
}

// setenvCommand is "setenv NAME FILE PATTERN": it puts the first group of the
// pattern's match in FILE (or stdout) into the variable.
func setenvCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setenv NAME FILE PATTERN")
	}
	pattern, err := regexp.Compile(args[2])
	ts.Check(err)
	match := pattern.FindStringSubmatch(ts.ReadFile(args[1]))
	if len(match) != 2 {
		ts.Fatalf("%s does not match %s", args[1], args[2])
	}
	ts.Setenv(args[0], match[1])
}

func waitFor(ts *testscript.TestScript, try func() error) {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("waited %v: %v", patience, strings.TrimSpace(err.Error()))
		}
		time.Sleep(10 * time.Millisecond)
	}
}
