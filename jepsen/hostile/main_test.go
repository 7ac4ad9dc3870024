//go:build unix

package hostile

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The thread that starts daemons lives as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("holdfast/jepsen/process.serveStarts"))
}
