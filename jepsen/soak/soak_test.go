//go:build linux

package soak

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/jepsen/process"
)

func TestMain(m *testing.M) {
	// The thread that starts daemons lives as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("holdfast/jepsen/process.serveStarts"))
}

// testWriter shows progress in the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

// A small run on real daemons loses nothing while members are ended, and samples
// and draws all of them. What takes longer than some seconds to be level is not
// judged here. With clients beside it that never hang up the same run is found to
// grow. The full run is holdfast-jepsen soak.
func TestSmallSoak(t *testing.T) {
	program := process.TestProgram(t)
	run := func(t *testing.T, beside func(context.Context, *process.Cluster)) *Report {
		cfg := Config{
			Program: program, Dir: t.TempDir(), For: 8 * time.Second, Load: 0.5, Seed: 1, Progress: testWriter{t},
			rate: 200, beside: beside,
		}
		r, err := Run(t.Context(), cfg)
		require.NoError(t, err)
		var shown bytes.Buffer
		r.Show(&shown)
		t.Log(shown.String())
		assert.Empty(t, r.Wrong)
		return r
	}
	grows := func(r *Report) (which []string) {
		for _, v := range r.Verdicts {
			if n := v.Quantity.Name; v.Wrong != "" && v.Member == "n1" && (n == "goroutines" || n == "descriptors") {
				which = append(which, n)
			}
		}
		return which
	}
	t.Run("holdfast", func(t *testing.T) {
		r := run(t, nil)
		assert.Empty(t, grows(r))
		assert.NotEmpty(t, r.Upheavals)
		assert.Positive(t, r.Acknowledged)
		assert.Positive(t, r.Watches)
		assert.Len(t, r.Verdicts, 3*len(Quantities()))
		var picture bytes.Buffer
		require.NoError(t, r.WritePicture(&picture))
		assert.Equal(t, 3*len(Quantities()), strings.Count(picture.String(), `<path class="line m`)-3, "a line for each series, and the key")
		for decoder := xml.NewDecoder(&picture); ; {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err)
			}
		}
	})
	t.Run("planted", func(t *testing.T) {
		r := run(t, holdConnections)
		assert.Equal(t, []string{"goroutines", "descriptors"}, grows(r))
		assert.ErrorIs(t, r.Err(), ErrNotFlat)
	})
}

// holdConnections opens connections and keeps them.
func holdConnections(ctx context.Context, c *process.Cluster) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	addr := strings.TrimPrefix(c.Members[0].ClientURL, "http://")
	for ctx.Err() == nil {
		if conn, err := net.Dial("tcp", addr); err == nil {
			defer conn.Close() //nolint:gocritic // at the end, all of them
			_, _ = conn.Write([]byte("GET /version HTTP/1.1\r\nHost: x\r\n\r\n"))
		}
		<-tick.C
	}
}
