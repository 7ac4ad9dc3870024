package process

import (
	"context"
	"time"
)

// startTimeout bounds the start of members for a test.
const startTimeout = 30 * time.Second

// TB is what the helpers need of a test.
type TB interface {
	Helper()
	Cleanup(func())
	Failed() bool
	TempDir() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// TestProgram builds the daemon for a test, with build tags if any are named.
func TestProgram(t TB, tags ...string) Program {
	t.Helper()
	p, err := BuildHoldfast(t.TempDir(), tags...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

// TestEtcd is the installed etcd; without one the test fails with the way to
// install it, for a comparison that was left out would look like one that held.
func TestEtcd(t TB) Program {
	t.Helper()
	p, err := Etcd()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

// TestCluster starts n members in a directory of the test's, stops them with
// SIGTERM at its end, fails it if one ended by itself, and shows the ends of their logs if the test failed.
func TestCluster(t TB, p Program, n int, extra ...string) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := StartCluster(ctx, p, t.TempDir(), n, extra...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		for _, m := range c.Members {
			if err := m.Unexpected(); err != nil {
				t.Errorf("%v", err)
			}
		}
		if err := c.StopAll(); err != nil {
			t.Errorf("%v", err)
		}
		if !t.Failed() {
			return
		}
		for _, m := range c.Members {
			t.Logf("last output of %s:\n%s", m.Name, m.LogTail())
		}
	})
	return c
}
