package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a stopped member may take to end by itself.
	stopGrace = 10 * time.Second
	// pollEvery is the pause between looks at something that will come.
	pollEvery = 20 * time.Millisecond
	// logTailBytes is how much of a member's output an error shows.
	logTailBytes = 4 << 10
)

// ErrNotRunning says that a member has no process.
var ErrNotRunning = errors.New("not running")

// Member is one daemon and its data directory.
type Member struct {
	Name      string
	DataDir   string
	LogFile   string // everything the daemon wrote, over all its starts
	ClientURL string
	PeerURL   string
	OpsURL    string // empty if the program has none
	// Env is added to the environment at the next start, "NAME=value" each.
	Env []string

	program Program
	extra   []string // arguments beyond addresses and directory

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	end  error         // how it ended; read after done
	told bool          // whether we asked it to end
}

// newMember gives a member addresses and a place below dir.
func newMember(p Program, dir, name string) (*Member, error) {
	m := &Member{Name: name, DataDir: filepath.Join(dir, name+".data"), LogFile: filepath.Join(dir, name+".log"), program: p}
	urls := []*string{&m.ClientURL, &m.PeerURL}
	if p.Ops {
		urls = append(urls, &m.OpsURL)
	}
	for _, u := range urls {
		var err error
		if *u, err = FreeURL(); err != nil {
			return nil, fmt.Errorf("place member %s: %w", name, err)
		}
	}
	return m, nil
}

// StartSingle starts a cluster of one below dir and waits until it is ready.
// Extra arguments come last.
func StartSingle(ctx context.Context, p Program, dir string, extra ...string) (*Member, error) {
	c, err := StartCluster(ctx, p, dir, 1, extra...)
	if err != nil {
		return nil, err
	}
	return c.Members[0], nil
}

// Place gives a cluster of one addresses and a place below dir, and starts
// nothing. Extra arguments come last.
func Place(p Program, dir string, extra ...string) (*Member, error) {
	m, err := newMember(p, dir, "n1")
	if err != nil {
		return nil, err
	}
	m.extra = append([]string{"--initial-cluster", m.Name + "=" + m.PeerURL, "--initial-cluster-state", "new"}, extra...)
	return m, nil
}

// Args is the member's command line, without the executable.
func (m *Member) Args() []string {
	a := append([]string(nil), m.program.Lead...)
	a = append(a, "--name", m.Name, "--data-dir", m.DataDir,
		"--listen-client-urls", m.ClientURL, "--advertise-client-urls", m.ClientURL,
		"--listen-peer-urls", m.PeerURL, "--initial-advertise-peer-urls", m.PeerURL)
	if m.OpsURL != "" {
		a = append(a, "--listen-ops-urls", m.OpsURL)
	}
	return append(a, m.extra...)
}

// Start starts the process, which must not be running, and does not wait for
// it to be ready.
func (m *Member) Start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd != nil {
		return fmt.Errorf("start %s: already running", m.Name)
	}
	log, err := os.OpenFile(m.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", m.Name, err)
	}
	defer log.Close() // the process has its own
	cmd := exec.Command(m.program.Path, m.Args()...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), m.Env...)
	if err := startBound(cmd); err != nil {
		return fmt.Errorf("start %s: %w", m.Name, err)
	}
	done := make(chan struct{})
	m.cmd, m.done, m.told = cmd, done, false
	go func() {
		err := cmd.Wait()
		m.mu.Lock()
		m.cmd, m.end = nil, err
		m.mu.Unlock()
		close(done)
	}()
	return nil
}

// Running tells whether the member has a process.
func (m *Member) Running() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cmd != nil
}

// PID is the process's id, 0 if the member has none.
func (m *Member) PID() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd == nil {
		return 0
	}
	return m.cmd.Process.Pid
}

// Unexpected is an error if the process ended without Kill or Stop, with how it
// ended and its last output.
func (m *Member) Unexpected() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd != nil || m.done == nil || m.told {
		return nil
	}
	how := "exit status 0"
	if m.end != nil {
		how = m.end.Error()
	}
	return fmt.Errorf("%s ended by itself: %s; its last output:\n%s", m.Name, how, m.LogTail())
}

// signal sends sig and returns what will tell the end of the process.
func (m *Member) signal(sig os.Signal) (<-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd == nil {
		return nil, fmt.Errorf("signal %s: %w", m.Name, ErrNotRunning)
	}
	m.told = true
	if err := m.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("signal %s: %w", m.Name, err)
	}
	return m.done, nil
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (m *Member) Kill() error {
	done, err := m.signal(syscall.SIGKILL)
	if err != nil {
		return err
	}
	<-done
	return nil
}

// Stop ends the process with SIGTERM. A process that is still there after ten
// seconds, or that ends with another status than 0 or the signal, is an error.
func (m *Member) Stop() error {
	done, err := m.signal(syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-done:
	case <-time.After(stopGrace):
		if err := m.Kill(); err != nil && !errors.Is(err, ErrNotRunning) {
			return err
		}
		return fmt.Errorf("stop %s: still running %v after SIGTERM, killed; its last output:\n%s", m.Name, stopGrace, m.LogTail())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var exit *exec.ExitError
	if errors.As(m.end, &exit) {
		// etcd sends itself the signal again once it has cleaned up.
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	if m.end != nil {
		return fmt.Errorf("stop %s: %w; its last output:\n%s", m.Name, m.end, m.LogTail())
	}
	return nil
}

// WaitReady waits until /health answers that all is well, the process ends, or
// ctx does; the latter two are errors with the daemon's last output.
func (m *Member) WaitReady(ctx context.Context) error {
	m.mu.Lock()
	done, running := m.done, m.cmd != nil
	m.mu.Unlock()
	if !running {
		return fmt.Errorf("wait for %s: %w; its last output:\n%s", m.Name, ErrNotRunning, m.LogTail())
	}
	for {
		last := m.healthy(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("wait for %s: it ended (%w); its last output:\n%s", m.Name, m.end, m.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%w); its last output:\n%s", m.Name, ctx.Err(), last, m.LogTail())
		case <-time.After(pollEvery):
		}
	}
}

// healthy asks /health once.
func (m *Member) healthy(ctx context.Context) error {
	body, status, err := fetch(ctx, m.ClientURL+"/health")
	if err != nil {
		return err
	}
	if status != http.StatusOK || !bytes.Contains(body, []byte(`"health":"true"`)) {
		return fmt.Errorf("/health: status %d: %.100s", status, body)
	}
	return nil
}

// Wait waits for the process to end, if there is one, and returns how it ended:
// its exit code, or -1 and the signal that ended it. It fails only if ctx ends
// before the process.
func (m *Member) Wait(ctx context.Context) (code int, signal syscall.Signal, err error) {
	m.mu.Lock()
	done := m.done
	m.mu.Unlock()
	if done == nil {
		return 0, 0, fmt.Errorf("wait for the end of %s: %w", m.Name, ErrNotRunning)
	}
	select {
	case <-done:
	case <-ctx.Done():
		return 0, 0, fmt.Errorf("wait for the end of %s: %w", m.Name, ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var exit *exec.ExitError
	if !errors.As(m.end, &exit) {
		return 0, 0, m.end
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return -1, ws.Signal(), nil
	}
	return exit.ExitCode(), 0, nil
}

// LogTail is the end of what the daemon wrote.
func (m *Member) LogTail() string {
	b, err := os.ReadFile(m.LogFile)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-logTailBytes):])
}

// askTimeout bounds one question to a member, and answerBytes its answer.
const (
	askTimeout  = 2 * time.Second
	answerBytes = 1 << 20
)

// fetch does one GET on a connection of its own, so that a killed member leaves
// no dead connection behind.
func fetch(ctx context.Context, url string) (body []byte, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("ask %s: %w", url, err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(resp.Body, answerBytes)); err != nil {
		return nil, 0, fmt.Errorf("ask %s: %w", url, err)
	}
	return body, resp.StatusCode, nil
}
