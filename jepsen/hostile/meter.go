//go:build unix

package hostile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Sample is what a daemon holds at one moment.
type Sample struct {
	Goroutines  int
	Descriptors int
	Resident    int64 // bytes of memory
}

// most takes the larger of each.
func (s Sample) most(o Sample) Sample {
	return Sample{max(s.Goroutines, o.Goroutines), max(s.Descriptors, o.Descriptors), max(s.Resident, o.Resident)}
}

// meter reads samples of one daemon. It keeps its connection to the ops port, so
// that an attack on that port does not shut it out.
type meter struct {
	pid  int
	conn net.Conn
	from *bufio.Reader
}

// readTime bounds one reading of the ops port.
const readTime = 30 * time.Second

func newMeter(t Target) (*meter, error) {
	c, err := net.Dial("tcp", t.Ops)
	if err != nil {
		return nil, fmt.Errorf("read the ops port: %w", err)
	}
	return &meter{t.PID, c, bufio.NewReader(c)}, nil
}

func (m *meter) close() { _ = m.conn.Close() }

func (m *meter) read() (Sample, error) {
	goroutines, err := m.goroutines()
	if err != nil {
		return Sample{}, fmt.Errorf("read the ops port: %w", err)
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", m.pid))
	if err != nil {
		return Sample{}, fmt.Errorf("count descriptors: %w; it takes Linux", err)
	}
	resident, err := residentBytes(m.pid)
	if err != nil {
		return Sample{}, fmt.Errorf("read resident memory: %w; it takes Linux", err)
	}
	return Sample{goroutines, len(open), resident}, nil
}

// goroutines asks /metrics.
func (m *meter) goroutines() (int, error) {
	if err := m.conn.SetDeadline(time.Now().Add(readTime)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(m.conn, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(m.from, nil)
	if err != nil {
		return 0, err
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for _, line := range bytes.Split(page, []byte("\n")) {
		if value, ok := bytes.CutPrefix(line, []byte("go_goroutines ")); ok {
			return strconv.Atoi(string(value))
		}
	}
	return 0, fmt.Errorf("/metrics: status %d: no go_goroutines", resp.StatusCode)
}

// residentBytes is VmRSS of proc_pid_status(5).
func residentBytes(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kibibytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, errors.New("no VmRSS in /proc")
}

// watchPeak samples until told to stop, and then gives the most it saw.
func (m *meter) watchPeak(ctx context.Context) (stop func() (Sample, error)) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var peak Sample
	var err error
	go func() {
		defer close(done)
		for {
			var s Sample
			if s, err = m.read(); err != nil {
				return
			}
			peak = peak.most(s)
			select {
			case <-ctx.Done():
				return
			case <-time.After(sampleEvery):
			}
		}
	}()
	return func() (Sample, error) {
		cancel()
		<-done
		return peak, err
	}
}

// sampleEvery is the pause between two samples during an attack.
const sampleEvery = 200 * time.Millisecond
