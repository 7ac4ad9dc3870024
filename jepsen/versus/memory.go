package versus

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"holdfast/jepsen/process"
)

// memory is what a process holds, in MB of 1,000,000 bytes.
type memory struct {
	resident  float64 // all of it
	anonymous float64 // without pages of files, such as a mapped database
}

// readMemory reads /proc/PID/status, which Linux has.
func readMemory(pid int) (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	m, err := parseStatus(status)
	if err != nil {
		return memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	return m, nil
}

// parseStatus finds VmRSS and RssAnon in proc_pid_status(5).
func parseStatus(status []byte) (memory, error) {
	var m memory
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if name != "VmRSS" && name != "RssAnon" {
			continue
		}
		kB, unit := strings.CutSuffix(strings.TrimSpace(rest), " kB")
		n, err := strconv.ParseUint(kB, 10, 53)
		if err != nil || !unit {
			return memory{}, fmt.Errorf("status: %s: %q is no number of kB", name, rest)
		}
		if name == "VmRSS" {
			m.resident = float64(n) * 1024 / 1e6
		} else {
			m.anonymous = float64(n) * 1024 / 1e6
		}
	}
	if err := lines.Err(); err != nil {
		return memory{}, fmt.Errorf("status: %w", err)
	}
	if m.resident == 0 || m.anonymous == 0 {
		return memory{}, errors.New("status: VmRSS or RssAnon is missing")
	}
	return m, nil
}

// maxMetricsBytes bounds what a member may say of itself.
const maxMetricsBytes = 4 << 20

// heapGoal asks a member, in MB, at which size of its heap Go's next collection
// ends: by default twice what the last one found in use. Both stores have it in
// their metrics, under the names of two versions of the same library.
func heapGoal(ctx context.Context, m *process.Member) (float64, error) {
	url, name := m.ClientURL, "go_memstats_next_gc_bytes"
	if m.OpsURL != "" {
		url, name = m.OpsURL, "go_gc_heap_goal_bytes"
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("heap of %s: %w", m.Name, err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("heap of %s: %w", m.Name, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(io.LimitReader(resp.Body, maxMetricsBytes))
	for lines.Scan() {
		number, found := strings.CutPrefix(lines.Text(), name+" ")
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, fmt.Errorf("heap of %s: %s: %w", m.Name, name, err)
		}
		return n / 1e6, nil
	}
	return 0, fmt.Errorf("heap of %s: status %d, no %s: %w", m.Name, resp.StatusCode, name, errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}
