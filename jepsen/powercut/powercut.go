//go:build unix

package powercut

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"holdfast/jepsen/process"
	"holdfast/wal/faults"
)

// ErrUnsound says that the daemon broke a promise.
var ErrUnsound = errors.New("promise broken")

// Config is what to do.
type Config struct {
	// Program is a daemon built with the tag "faults".
	Program process.Program
	// Dir takes data, records and logs. A round that fails is left there.
	Dir string
	// Rounds is how often the power is cut, at least 1.
	Rounds int
	// Seed makes all draws.
	Seed uint64
	// Progress takes a line for every round.
	Progress io.Writer
}

// Limits of patience, and when a directory has seen enough.
const (
	startTime  = 30 * time.Second // for the daemon to be ready
	cutTime    = 10 * time.Second // for the daemon to come to the place of the cut
	endTime    = 30 * time.Second // for a killed process to be gone
	lifeRounds = 25               // cuts of one data directory
)

// Report is what happened.
type Report struct {
	Rounds int
	// Tails counts the rounds in which bytes of the log had not been synced when
	// the power was cut.
	Tails int
	// Starts counts the starts that were ready and compared with the ledger; the
	// other rounds were cut during the start.
	Starts int
	// Acknowledged counts confirmed writes, Compared the keys compared with them
	// after a cut.
	Acknowledged, Compared int
	// Cuts counts rounds by where the power was cut, Damage what became of files
	// and directory entries that were not synced.
	Cuts, Damage map[string]int
	Took         time.Duration
	// Wrong is the first broken promise; empty is green. Lost counts the keys that
	// were not as acknowledged, if it is that.
	Wrong string
	Lost  int
}

// Err is nil if the report is green, and wraps [ErrUnsound] otherwise.
func (r *Report) Err() error {
	switch {
	case r.Wrong != "":
		return fmt.Errorf("%w: %s", ErrUnsound, r.Wrong)
	case 4*r.Tails < 3*r.Rounds:
		return fmt.Errorf("%d of %d rounds only cut the power over an unsynced tail of the log: too few to prove anything", r.Tails, r.Rounds)
	}
	return nil
}

// run is one run under way.
type run struct {
	Config
	planted []faults.Rule // asked after the round's own
	member  *process.Member
	ledger  *ledger
	life    int // counts data directories
	term    uint64
	report  *Report
	start   time.Time
}

// Run does all rounds, or those until the first broken promise. An error means
// that the run could not be carried out; broken promises are in the report.
func Run(ctx context.Context, cfg Config) (*Report, error) { return cfg.run(ctx, nil) }

func (cfg Config) run(ctx context.Context, planted []faults.Rule) (*Report, error) {
	if cfg.Rounds < 1 {
		return nil, errors.New("powercut: configuration: no rounds; ask for at least 1")
	}
	r := &run{Config: cfg, planted: planted, start: time.Now(), report: &Report{Cuts: map[string]int{}, Damage: map[string]int{}}}
	for round := range cfg.Rounds {
		if round%lifeRounds == 0 {
			if err := r.renew(ctx); err != nil {
				return nil, fmt.Errorf("powercut: round %d: %w", round, err)
			}
		}
		if r.report.Wrong == "" {
			if err := r.round(ctx, round); err != nil {
				return nil, errors.Join(fmt.Errorf("powercut: round %d: %w", round, err), r.end())
			}
		}
		if r.report.Wrong != "" {
			break
		}
	}
	if r.report.Wrong == "" {
		if err := r.lastStart(ctx); err != nil {
			return nil, fmt.Errorf("powercut: after the last round: %w", err)
		}
	}
	r.report.Took = time.Since(r.start)
	return r.report, nil
}

// renew checks the old data directory once more and begins with an empty one.
func (r *run) renew(ctx context.Context) error {
	if r.member != nil {
		if err := r.lastStart(ctx); err != nil || r.report.Wrong != "" {
			return err
		}
	}
	r.life++
	dir := filepath.Join(r.Dir, fmt.Sprintf("life-%d", r.life))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	m, err := process.Place(r.Program, dir, "--heartbeat-interval", "10", "--election-timeout", "50")
	if err != nil {
		return err
	}
	r.member, r.ledger, r.term = m, newLedger(), 0
	return os.Mkdir(m.DataDir, 0o700)
}

// lastStart starts the daemon without cutting the power, to see what the last
// cut has left.
func (r *run) lastStart(ctx context.Context) error {
	if err := r.begin(ctx, nil); err != nil || r.report.Wrong != "" {
		return errors.Join(err, r.end())
	}
	return r.end()
}

// round starts the daemon on what the last cut left, lets it work, and cuts the
// power.
func (r *run) round(ctx context.Context, round int) error {
	rng := rand.New(rand.NewPCG(r.Seed, uint64(round)<<1))
	rule, name := drawCut(rng)
	rules := []faults.Rule{rule}
	if round > 0 { // what a planted fault loses first shall be writes
		rules = append(rules, r.planted...)
	}
	if err := r.begin(ctx, rules); err != nil || r.report.Wrong != "" {
		return errors.Join(err, r.end())
	}
	acked := r.ledger.total
	working, cancel := context.WithTimeout(ctx, cutTime)
	write(working, r.member.ClientURL, r.ledger, round, rng)
	cancel()
	r.report.Acknowledged += r.ledger.total - acked
	if !r.cutOver() {
		name = "at no drawn place" // it was not reached in time
	}
	if err := r.end(); err != nil {
		return err
	}
	return r.damage(ctx, round, name)
}

// begin starts the daemon under rules and, unless they end it before, compares
// what it holds with the ledger.
func (r *run) begin(ctx context.Context, rules []faults.Rule) error {
	plan, err := json.Marshal(faults.Plan{
		Root: r.member.DataDir, Record: r.recordDir(), Rules: rules,
		SegmentBytes: 4 << 10, SnapshotEntries: 60, SnapshotCheckMillis: 20, TrailingBytes: 6 << 10,
	})
	if err != nil {
		return err
	}
	if err := os.Truncate(r.member.LogFile, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	r.member.Env = []string{faults.Environment + "=" + string(plan)}
	if err := r.member.Start(); err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if notReady := r.member.WaitReady(ready); notReady != nil {
		return r.notStarted(ctx, rules, notReady)
	}
	held, err := readAll(ready, r.member.ClientURL)
	if err != nil {
		return r.notStarted(ctx, rules, err)
	}
	r.report.Starts++
	r.report.Compared += len(r.ledger.acked)
	if wrong := r.ledger.settle(held); len(wrong) > 0 {
		r.report.Lost = len(wrong)
		r.wrong("%d keys are not as they must be; first: %s", len(wrong), wrong[0])
	}
	return nil
}

func (r *run) recordDir() string { return filepath.Join(filepath.Dir(r.member.DataDir), "record") }

// notStarted tells a start that the power was cut over from one that failed.
func (r *run) notStarted(ctx context.Context, rules []faults.Rule, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(rules) == 0 || !r.cutOver() {
		r.wrong("it does not start: %v", cause)
	}
	return nil
}

// cutOver tells whether the power was cut where that was drawn: the rule had its
// way, and its signal was the process's end.
func (r *run) cutOver() bool {
	record, err := faults.ReadRecord(r.recordDir())
	if err != nil || !slices.ContainsFunc(record.Acts, func(a string) bool { return strings.HasPrefix(a, string(faults.Kill)) }) {
		return false
	}
	// Not of the run's context: the process is gone in a moment.
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	_, signal, err := r.member.Wait(ctx)
	return err == nil && signal == syscall.SIGKILL
}

// end kills the daemon, if it still runs.
func (r *run) end() error {
	if err := r.member.Kill(); err != nil && !errors.Is(err, process.ErrNotRunning) {
		return err
	}
	return nil
}

func (r *run) wrong(format string, args ...any) {
	r.report.Wrong = fmt.Sprintf("round %d, seed %d: %s; see %s", r.report.Rounds, r.Seed,
		fmt.Sprintf(format, args...), filepath.Dir(r.member.DataDir))
}

// damage puts in place of the data directory what the power cut left of it, and
// has it verified. What was there before stays beside it until the next cut,
// and a copy of what the daemon is going to start on.
func (r *run) damage(ctx context.Context, round int, name string) error {
	dir := filepath.Dir(r.member.DataDir)
	before, record, after := filepath.Join(dir, "before-the-cut"), filepath.Join(dir, "record-of-the-cut"), filepath.Join(dir, "after-the-cut")
	if err := errors.Join(os.RemoveAll(before), os.RemoveAll(record), os.RemoveAll(after)); err != nil {
		return err
	}
	if err := os.Rename(r.recordDir(), record); err != nil {
		return fmt.Errorf("keep the record: %w; the daemon has to be built with: go build -tags faults", err)
	}
	if err := os.Rename(r.member.DataDir, before); err != nil {
		return err
	}
	left, err := newRemains(before, record, rand.New(rand.NewPCG(r.Seed, uint64(round)<<1|1)))
	if err != nil {
		return err
	}
	tail, err := left.tail()
	if err != nil {
		return err
	}
	if err := left.build(after); err != nil {
		return fmt.Errorf("build what is left: %w", err)
	}
	if err := os.CopyFS(r.member.DataDir, os.DirFS(after)); err != nil {
		return err
	}
	r.report.Rounds++
	r.report.Cuts[name]++
	if tail > 0 {
		r.report.Tails++
	}
	for what, n := range left.done {
		r.report.Damage[what] += n
	}
	fmt.Fprintf(r.Progress, "%7.1fs  round %d: cut %s, %d bytes of the log unsynced, %v\n", time.Since(r.start).Seconds(), round, name, tail, left.done)
	return r.verify(ctx)
}

// verify has "holdfast wal verify" look at the directory.
func (r *run) verify(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(r.member.DataDir, "raft", "log")); errors.Is(err, os.ErrNotExist) {
		return nil // there never was a log for certain
	}
	out, err := exec.CommandContext(ctx, r.Program.Path, "--output", "json", "wal", "verify", r.member.DataDir).CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		if r.ledger.total > 0 {
			r.wrong("wal verify: %v: %s", err, out)
		}
		return nil
	}
	var found struct{ Term uint64 }
	if err := json.Unmarshal(out, &found); err != nil {
		return fmt.Errorf("wal verify: %w: %.200s", err, out)
	}
	if found.Term < r.term {
		r.wrong("the term has gone back from %d to %d", r.term, found.Term)
	}
	r.term = found.Term
	return nil
}
