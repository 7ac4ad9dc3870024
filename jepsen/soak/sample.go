//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"holdfast/jepsen/process"
)

// mebi is a MiB, in bytes.
const mebi = 1 << 20

const (
	// sampleTime bounds one question for metrics, metricsBytes its answer.
	sampleTime   = 2 * time.Second
	metricsBytes = 1 << 20
)

// sampleOne samples a member every r.every until ctx ends. It fails if the member
// has ended by itself.
func (r *run) sampleOne(ctx context.Context, m *process.Member, s *Series) error {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if m.Unexpected() != nil {
			return fmt.Errorf("the load was broken off: %s is gone", m.Name)
		}
		at := time.Duration(r.now())
		values, err := sample(ctx, m)
		if err != nil {
			continue // it is down, coming up or held up
		}
		for q, v := range values {
			s.Points[q] = append(s.Points[q], Point{at, v})
		}
	}
}

// sample gives one value for each of Quantities.
func sample(ctx context.Context, m *process.Member) ([]float64, error) {
	pid := m.PID()
	if pid == 0 {
		return nil, process.ErrNotRunning
	}
	goroutines, heap, err := askMetrics(ctx, m)
	if err != nil {
		return nil, err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", m.Name, err)
	}
	resident, err := residentBytes(pid)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", m.Name, err)
	}
	disk, err := diskBytes(m.DataDir)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", m.Name, err)
	}
	return []float64{goroutines, float64(len(open)), resident / mebi, heap / mebi, disk / mebi}, nil
}

// askMetrics asks for the goroutines, and for the bytes of heap that the last
// collection found in use.
func askMetrics(ctx context.Context, m *process.Member) (goroutines, heap float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.OpsURL+"/metrics", nil)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for metrics: %w", err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for metrics: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, metricsBytes))
	if err != nil {
		return 0, 0, fmt.Errorf("ask for metrics: %w", err)
	}
	goroutines, err = metric(string(body), "go_goroutines")
	heap, heapErr := metric(string(body), "go_gc_heap_live_bytes")
	return goroutines, heap, errors.Join(err, heapErr)
}

// metric finds the value of a metric without labels.
func metric(text, name string) (float64, error) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("metric %s: not shown", name)
}

func residentBytes(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" && fields[2] == "kB" {
			kilo, err := strconv.ParseFloat(fields[1], 64)
			return kilo * 1024, err
		}
	}
	return 0, errors.New("no VmRSS in /proc: it has ended")
}

// diskBytes is how long all files below dir are together. Those that are removed
// meanwhile do not count.
func diskBytes(dir string) (total float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				total += float64(info.Size())
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return total, err
}
