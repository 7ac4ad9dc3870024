//go:build unix

package diskfault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/jepsen/process"
	"holdfast/wal/faults"
)

// Config is what to do.
type Config struct {
	// Program is a daemon built with the tag "faults".
	Program process.Program
	// Dir takes data and logs, a directory for each row.
	Dir string
	// Rows are the faults, and Beside how many are tried at the same time, at
	// least 1.
	Rows   []Row
	Beside int
	// Progress takes a line for every row.
	Progress io.Writer
}

// Result is what became of a row.
type Result struct {
	Row
	// Said is the line in which the daemon spoke of the fault, without date and
	// time, with the data directory as holdfast.data.
	Said string
	// Code is the daemon's exit code.
	Code int
	// Verified is what "holdfast wal verify" said beforehand, if it found fault.
	Verified string
	// Wrong is what was not as expected, empty if nothing.
	Wrong string
}

// Limits of patience.
const (
	startTime = time.Minute
	endTime   = time.Minute
	wordsTime = 30 * time.Second
)

// Run tries all rows. An error means that they could not be tried; what did not
// hold is in the results.
func Run(ctx context.Context, cfg Config) ([]Result, error) {
	if cfg.Beside < 1 {
		return nil, errors.New("diskfault: configuration: no row at a time; ask for at least 1")
	}
	bases, err := makeBases(ctx, &cfg)
	if err != nil {
		return nil, fmt.Errorf("diskfault: make the directories to break: %w", err)
	}
	results := make([]Result, len(cfg.Rows))
	errs := make([]error, len(cfg.Rows))
	places := make(chan struct{}, cfg.Beside)
	var wg sync.WaitGroup
	for i := range cfg.Rows {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			t := &trial{cfg: &cfg, row: &cfg.Rows[i], dir: filepath.Join(cfg.Dir, fmt.Sprintf("row-%d", i+1))}
			t.acked = newStore(bases[t.row.From].acked)
			if err := t.run(ctx, bases[t.row.From].dir); err != nil {
				errs[i] = fmt.Errorf("diskfault: %s: %w", t.row.Fault, err)
				return
			}
			t.result.Row = *t.row
			results[i] = t.result
			fmt.Fprintf(cfg.Progress, "%-70s %s%s\n", t.row.Fault, t.row.Expect, map[bool]string{true: "", false: ": NOT SO: " + t.result.Wrong}[t.result.Wrong == ""])
		})
	}
	wg.Wait()
	return results, errors.Join(errs...)
}

// trial is the trying of one row.
type trial struct {
	cfg    *Config
	row    *Row
	dir    string
	member *process.Member
	acked  *store
	// tells says that the daemon, as it was started last, must speak of the fault.
	tells  bool
	result Result
}

func (t *trial) wrong(format string, args ...any) {
	if t.result.Wrong == "" {
		t.result.Wrong = fmt.Sprintf(format, args...)
	}
}

// run makes the directory, breaks it, and starts the daemon on it.
func (t *trial) run(ctx context.Context, from string) (err error) {
	if t.member, err = place(t.cfg.Program, t.dir); err != nil {
		return err
	}
	if err := os.CopyFS(t.member.DataDir, os.DirFS(from)); err != nil {
		return err
	}
	if t.row.Damage != nil {
		if err := t.row.Damage(t.member.DataDir); err != nil {
			return fmt.Errorf("damage: %w", err)
		}
	}
	if err := t.verify(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.kill()) }()
	if err := t.try(ctx, t.row.Rules, t.row.Expect); err != nil || t.result.Wrong != "" {
		return err
	}
	first := t.result
	switch {
	case t.row.injected(): // the disk works again
		err = t.try(ctx, nil, Starts)
	case t.row.Expect == Refuses: // a refusal heals nothing
		err = t.try(ctx, nil, Refuses)
	}
	first.Wrong = t.result.Wrong
	if first.Wrong != "" {
		first.Wrong = "at the next start: " + first.Wrong
	}
	t.result = first
	return err
}

// place gives a member addresses and a directory.
func place(p process.Program, dir string) (*process.Member, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return process.Place(p, dir, "--heartbeat-interval", "10", "--election-timeout", "50")
}

// start starts the daemon with small segments and snapshots, and rules.
func start(m *process.Member, rules []faults.Rule) error {
	plan, err := json.Marshal(faults.Plan{Root: m.DataDir, Rules: rules,
		SegmentBytes: 4 << 10, SnapshotEntries: 40, SnapshotCheckMillis: 20, TrailingBytes: 12 << 10})
	if err != nil {
		return err
	}
	if err := os.RemoveAll(m.LogFile); err != nil {
		return err
	}
	m.Env = []string{faults.Environment + "=" + string(plan)}
	return m.Start()
}

// try starts the daemon and sees what becomes of it.
func (t *trial) try(ctx context.Context, rules []faults.Rule, expect Outcome) error {
	t.tells = len(rules) > 0 || !t.row.injected()
	if err := start(t.member, rules); err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	notReady := t.member.WaitReady(ready)
	switch {
	case notReady != nil && t.member.Running():
		t.wrong("it neither starts nor ends: %v", notReady)
		return t.kill()
	case notReady != nil && expect == Starts:
		t.wrong("it does not start: %v", notReady)
	case notReady == nil && expect == Refuses:
		t.wrong("it starts")
		return t.kill()
	case notReady == nil:
		if err := t.work(ctx, expect); err != nil || t.result.Wrong != "" {
			return errors.Join(err, t.kill())
		}
	}
	return t.ended(ctx, expect)
}

// work has the daemon read and written, until it ends or has done enough.
func (t *trial) work(ctx context.Context, expect Outcome) error {
	t.compare(ctx, expect)
	alive := t.acked.write(ctx, t.member.ClientURL, workWrites)
	if expect == Dies {
		return nil
	}
	if !alive {
		t.wrong("a write was not acknowledged: %s", t.member.LogTail())
	}
	if !t.awaitWords(ctx) {
		return t.kill()
	}
	t.compare(ctx, expect)
	return t.member.Stop()
}

// compare reads what was acknowledged. A daemon that is to end may do so
// meanwhile.
func (t *trial) compare(ctx context.Context, expect Outcome) {
	missing, err := t.acked.missing(ctx, t.member.ClientURL)
	if err != nil && expect != Dies {
		t.wrong("%v", err)
	}
	if missing != "" && t.row.Loses == "" {
		t.wrong("%s", missing)
	}
}

// awaitWords waits until a daemon that goes on has said its words.
func (t *trial) awaitWords(ctx context.Context) bool {
	deadline := time.Now().Add(wordsTime)
	for {
		log, err := os.ReadFile(t.member.LogFile)
		if err == nil && (!t.tells || spoke(string(log), t.row.Words)) {
			return true
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			t.wrong("it has not said %q: %s", t.row.Words, t.member.LogTail())
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func spoke(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// ended looks at how the daemon ended and what it said.
func (t *trial) ended(ctx context.Context, expect Outcome) error {
	wait, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	code, signal, err := t.member.Wait(wait)
	if err != nil {
		t.wrong("it goes on, and does not %s", expect)
		return t.kill()
	}
	want := map[Outcome]int{Starts: 0, Refuses: 1, Dies: 1}[expect]
	if code != want || signal == syscall.SIGKILL {
		t.wrong("exit code %d, not %d: %s", code, want, t.member.LogTail())
	}
	log, err := os.ReadFile(t.member.LogFile)
	if err != nil {
		return err
	}
	if strings.Contains(string(log), "panic:") || strings.Contains(string(log), "goroutine ") {
		t.wrong("it panics: %s", t.member.LogTail())
	}
	if t.tells && !spoke(string(log), t.row.Words) {
		t.wrong("it does not say %q, but: %s", t.row.Words, t.member.LogTail())
	}
	t.result.Code, t.result.Said = code, t.spoken(string(log))
	return nil
}

// spoken is the line that speaks of the fault: the last that has all words, or
// else the first of them.
func (t *trial) spoken(log string) (said string) {
	if len(t.row.Words) == 0 {
		return ""
	}
	whole := false
	for _, line := range strings.Split(log, "\n") {
		all := spoke(line, t.row.Words)
		if all || !whole && strings.Contains(line, t.row.Words[0]) {
			said, whole = line, all
		}
	}
	said = stamp.ReplaceAllString(said, "")
	return strings.ReplaceAll(said, t.member.DataDir, "holdfast.data")
}

// verify has "holdfast wal verify" look at the damage.
func (t *trial) verify(ctx context.Context) error {
	if t.row.From == empty {
		return nil
	}
	out, err := exec.CommandContext(ctx, t.cfg.Program.Path, "wal", "verify", t.member.DataDir).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	text := strings.TrimSpace(strings.ReplaceAll(string(out), t.member.DataDir, "holdfast.data"))
	switch {
	case t.row.Verify == "" && err != nil:
		t.wrong("wal verify finds fault: %s", text)
	case t.row.Verify != "" && (err == nil || exit.ExitCode() != 1 || !strings.Contains(text, t.row.Verify)):
		t.wrong("wal verify does not say %q with exit code 1, but: %s", t.row.Verify, text)
	}
	if err != nil {
		t.result.Verified = text
	}
	return nil
}

func (t *trial) kill() error {
	if err := t.member.Kill(); err != nil && !errors.Is(err, process.ErrNotRunning) {
		return err
	}
	return nil
}
