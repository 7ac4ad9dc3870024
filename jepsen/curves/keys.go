package curves

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/jepsen/process"
)

const (
	// snapshotsOnly is in the environment of a member that snapshots as often as
	// it may: behind 100 entries.
	snapshotsOnly = "HOLDFAST_SNAPSHOT_COUNT=100"
	// snapshotPuts is more than that.
	snapshotPuts = 150
	snapshotTime = time.Minute
	pollEvery    = 20 * time.Millisecond
	askTimeout   = 10 * time.Second
	answerBytes  = 1 << 20
)

// keys grows one store. At each place it measures what it cost to create the
// keys up to there, puts and gets of random keys, a snapshot, a start from that
// snapshot, and the memory held.
func (w *walk) keys(ctx context.Context) error {
	c, stop, err := w.cluster(ctx, "keys", 1)
	if err != nil {
		return err
	}
	// A put copies as many pages of the tree as it has levels, and misses the
	// processor's caches on its way down.
	grows := Rule{Most: 2}
	// A start and a snapshot have a fixed part, which is most of a small one.
	each := Rule{From: 100_000, Most: 1.5, PerX: true}
	list := w.add(
		Curve{Name: "put", Unit: perOperation, Rule: grows}, Curve{Name: "get", Unit: perOperation, Rule: grows},
		Curve{Name: "create", Unit: perOperation, Rule: grows},
		Curve{Name: "snapshot", Unit: "CPU µs", Chart: "start", Rule: each},
		Curve{Name: "start", Unit: "CPU µs", Chart: "start", Rule: each},
		Curve{Name: "resident memory", Unit: "bytes", Chart: "memory", Rule: each})
	w.axis.X = map[string]string{"": "keys", "start": "keys", "memory": "keys"}
	m := c.Members[0]
	had := 0
	for _, n := range w.Plan.Keys {
		if err = w.keysAt(ctx, c, m, had, n, list); err != nil {
			break
		}
		had = n
	}
	return stop(err)
}

func (w *walk) keysAt(ctx context.Context, c *process.Cluster, m *process.Member, had, n int, list []*Curve) error {
	x := float64(n)
	keyspace := []string{"--keep", "curves", "--keys", strconv.Itoa(n), "--value-bytes", "32"}
	before, err := cpuSeconds(ctx, m)
	if err != nil {
		return err
	}
	if _, err := w.bench(ctx, c, x, append(keyspace, "--workload", "get", "--slices", "1", "--slice", "20ms", "--warmup", "0s")...); err != nil {
		return err
	}
	after, err := cpuSeconds(ctx, m)
	if err != nil {
		return err
	}
	w.point(list[2], Point{X: x, Cost: (after - before) * 1e6 / float64(n-had)})
	if err := w.putAndGet(ctx, c, x, list, append(keyspace, "--connections", "64")...); err != nil {
		return err
	}
	snapshot, err := snapshotCost(ctx, m)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	w.point(list[3], Point{X: x, Cost: snapshot * 1e6})
	start, took, err := restart(ctx, m)
	if err != nil {
		return err
	}
	w.point(list[4], Point{X: x, Cost: start * 1e6, Seconds: took.Seconds()})
	loaded := list[0].Points[len(list[0].Points)-1].Load
	w.point(list[5], Point{X: x, Cost: float64(loaded.RSSBytes)})
	return nil
}

// restart stops a member, starts it, and gives the CPU seconds and the time that
// it took to be ready.
func restart(ctx context.Context, m *process.Member) (cpu float64, took time.Duration, err error) {
	if err := m.Stop(); err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	if err := m.Start(); err != nil {
		return 0, 0, err
	}
	if err := m.WaitReady(ctx); err != nil {
		return 0, 0, err
	}
	took = time.Since(begun)
	cpu, err = cpuSeconds(ctx, m)
	return cpu, took, err
}

// snapshotCost gives the CPU seconds of a snapshot. The member is restarted for
// it, and left to be restarted, with hardly any log behind its snapshot.
func snapshotCost(ctx context.Context, m *process.Member) (float64, error) {
	m.Env = append(m.Env, snapshotsOnly)
	defer func() { m.Env = slices.DeleteFunc(m.Env, func(e string) bool { return e == snapshotsOnly }) }()
	if _, _, err := restart(ctx, m); err != nil {
		return 0, err
	}
	had, before, err := betweenSnapshots(ctx, m)
	if err != nil {
		return 0, err
	}
	// One connection for all: their cost is counted, and should be small.
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range snapshotPuts {
		if err := put(ctx, client, m.ClientURL+"/v2/keys/snapshot", "x"); err != nil {
			return 0, err
		}
	}
	if err := waitSnapshots(ctx, m, func(s snapshots) bool { return s.newest != had }); err != nil {
		return 0, err
	}
	after, err := cpuSeconds(ctx, m)
	return after - before, err
}

// betweenSnapshots gives the newest snapshot and the CPU seconds used at a
// moment when none is being made.
func betweenSnapshots(ctx context.Context, m *process.Member) (newest string, cpu float64, err error) {
	for {
		if err := waitSnapshots(ctx, m, func(s snapshots) bool { return !s.underWay }); err != nil {
			return "", 0, err
		}
		before, err := listSnapshots(m)
		if err != nil {
			return "", 0, err
		}
		if cpu, err = cpuSeconds(ctx, m); err != nil {
			return "", 0, err
		}
		after, err := listSnapshots(m)
		if err != nil || after == before && !after.underWay {
			return after.newest, cpu, err
		}
	}
}

// snapshots is what a member's directory shows of its snapshots.
type snapshots struct {
	newest   string // finished; empty if there is none
	underWay bool
}

func listSnapshots(m *process.Member) (s snapshots, err error) {
	entries, err := os.ReadDir(filepath.Join(m.DataDir, "raft", "snapshots"))
	if err != nil {
		return s, fmt.Errorf("look for snapshots: %w", err)
	}
	latest := time.Time{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			s.underWay = true
			continue
		}
		// One that is removed meanwhile is not the newest.
		if info, err := e.Info(); err == nil && e.IsDir() && info.ModTime().After(latest) {
			s.newest, latest = e.Name(), info.ModTime()
		}
	}
	return s, nil
}

// waitSnapshots waits for something to be seen in the directory, and not in
// /metrics, which would cost the member more than a small snapshot does.
func waitSnapshots(ctx context.Context, m *process.Member, seen func(snapshots) bool) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	for {
		s, err := listSnapshots(m)
		if err != nil || seen(s) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for a snapshot: %w", ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// put sets a key.
func put(ctx context.Context, client *http.Client, address, value string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, strings.NewReader(url.Values{"value": {value}}.Encode()))
	if err != nil {
		return fmt.Errorf("put %s: %w", address, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err = ask(client, request)
	return err
}

// metric reads a gauge or counter without labels from a member's /metrics.
func metric(ctx context.Context, m *process.Member, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.OpsURL+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	// A connection of its own: the member may be another by the next time.
	request.Close = true
	body, err := ask(http.DefaultClient, request)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(body) {
		if value, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			return strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		}
	}
	return 0, fmt.Errorf("read %s: not in /metrics of %s", name, m.Name)
}

// cpuSeconds is what a member has used since its start, user and system.
func cpuSeconds(ctx context.Context, m *process.Member) (float64, error) {
	return metric(ctx, m, "process_cpu_seconds_total")
}

// ask does one request; a status above 299 is an error.
func ask(client *http.Client, request *http.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(request.Context(), askTimeout)
	defer cancel()
	answer, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, answerBytes))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", request.URL, err)
	}
	if answer.StatusCode > 299 {
		return nil, fmt.Errorf("%s %s: status %d: %.200s", request.Method, request.URL, answer.StatusCode, body)
	}
	return body, nil
}
