package main

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

// TestLive runs scripts that start the agent itself. $CLIENT, $PEER and $OPS
// are URLs on free ports, $CLIENT2 ... those of a second agent; $BARE is a free
// address.
func TestLive(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/live",
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"CLIENT", "PEER", "OPS", "CLIENT2", "PEER2", "OPS2"} {
				env.Setenv(name, freeURL(t))
			}
			env.Setenv("BARE", strings.TrimPrefix(freeURL(t), "http://"))
			env.Setenv("HOLDFAST_ENDPOINTS", env.Getenv("CLIENT"))
			env.Setenv("HOLDFAST_LISTEN_CLIENT_URLS", env.Getenv("CLIENT"))
			env.Setenv("HOLDFAST_LISTEN_PEER_URLS", env.Getenv("PEER"))
			env.Setenv("HOLDFAST_LISTEN_OPS_URLS", env.Getenv("OPS"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exitsCommand, "retry": retryCommand, "terminate": terminateCommand,
			"halfask": halfAskCommand,
		},
		RequireExplicitExec: true,
	})
}

// freeURL names a loopback port that nobody uses now, and that no other test and
// no client takes until the agent listens there.
func freeURL(t *testing.T) string {
	url, err := process.FreeURL()
	require.NoError(t, err)
	return url
}

// terminateCommand is "terminate": it sends SIGTERM to what runs in the
// background, which the kill of scripts cannot.
func terminateCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: terminate")
	}
	for _, command := range ts.BackgroundCmds() {
		ts.Check(command.Process.Signal(syscall.SIGTERM))
	}
}

// halfAskCommand is "halfask URL": it sends the beginning of a request, and its
// end never. The server has read the beginning once it asks for more.
func halfAskCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: halfask URL")
	}
	c, err := net.Dial("tcp", strings.TrimPrefix(args[0], "http://"))
	ts.Check(err)
	ts.Defer(func() { _ = c.Close() })
	_, err = c.Write([]byte("PUT /v2/keys/h HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\nvalue"))
	ts.Check(err)
	_, err = c.Read(make([]byte, 100))
	ts.Check(err)
}

// retryPatience bounds retry: a busy machine may take its time to elect.
const retryPatience = 30 * time.Second

// retryCommand is "retry PROGRAM ARGUMENT...": it runs the program again and
// again until it succeeds.
func retryCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: retry PROGRAM [ARGUMENT...]")
	}
	deadline := time.Now().Add(retryPatience)
	for {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: %v", strings.Join(args, " "), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
