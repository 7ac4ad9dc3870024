package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"holdfast/jepsen"
	"holdfast/jepsen/process"
)

// ErrUnsound says that the cluster broke a promise.
var ErrUnsound = errors.New("promise broken")

// Config is what to do. Every count must be positive.
type Config struct {
	Program process.Program
	// Dir takes the data directories, the logs and the journal.
	Dir string
	// Members is the size of the cluster, at least 3.
	Members int
	// Writers is how many clients write at once.
	Writers int
	// Kills is how often the leader is killed, WritesBetween how many writes
	// must have been confirmed before each kill since the one before.
	Kills         int
	WritesBetween int
	// Samples is at how many log indices the hashes are compared, if the
	// program shows them.
	Samples int
	// Seed makes the draws of the writers and of the sampled indices.
	Seed uint64
	// Progress takes a line for every step.
	Progress io.Writer
}

// Limits of patience.
const (
	startTime  = 60 * time.Second // for a member to start
	writesTime = 2 * time.Minute  // for the writes between two kills
	writeTime  = 3 * time.Second  // for one operation
	returnTime = time.Minute      // from a kill to the next confirmed write
	catchUp    = time.Minute      // for all members to have the last write
)

// counters is how many counters the writers share.
const counters = 4

// Report is what happened.
type Report struct {
	Keys       int // confirmed keys
	Increments int // confirmed increments of counters
	Unknown    int // operations whose outcome is unknown
	Failed     int // operations that certainly had no effect
	Kills      int
	// Gaps are the times from each kill to the end of the first confirmed
	// write that was begun after it.
	Gaps []time.Duration
	// Samples are the log indices at which all members' hashes were equal.
	Samples []uint64
	Took    time.Duration
	// Wrong lists every broken promise; empty is green.
	Wrong []string
}

// Err is nil if the report is green, and wraps [ErrUnsound] otherwise.
func (r *Report) Err() error {
	if len(r.Wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d times; first: %s", ErrUnsound, len(r.Wrong), r.Wrong[0])
}

// run is one run under way.
type run struct {
	Config
	cluster *process.Cluster
	start   time.Time
	journal *journal
	rng     *rand.Rand
	report  *Report
	hashes  []sample
}

// Run does all of it. An error means that the run could not be carried out;
// broken promises are in the report.
func Run(ctx context.Context, cfg Config) (rep *Report, err error) {
	if cfg.Members < 3 || cfg.Writers < 1 || cfg.Kills < 1 || cfg.WritesBetween < 1 || cfg.Samples < 0 {
		return nil, errors.New("torture: configuration: counts out of range; use at least 3 members and 1 of everything else")
	}
	r := &run{Config: cfg, start: time.Now(), rng: rand.New(rand.NewPCG(cfg.Seed, 1)), report: &Report{}}
	startCtx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if r.cluster, err = process.StartCluster(startCtx, cfg.Program, cfg.Dir, cfg.Members); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.cluster.StopAll()) }()

	path := filepath.Join(cfg.Dir, "journal.jsonl")
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("torture: create journal: %w", err)
	}
	defer file.Close()
	r.journal = newJournal(file)
	if err := r.killAll(ctx); err != nil {
		return nil, err
	}
	if err := r.judge(ctx, path); err != nil {
		return nil, err
	}
	r.report.Took = time.Since(r.start)
	return r.report, nil
}

func (r *run) progress(format string, args ...any) {
	fmt.Fprintf(r.Progress, "%7.1fs  %s\n", time.Since(r.start).Seconds(), fmt.Sprintf(format, args...))
}

// now is the clock of the journal.
func (r *run) now() int64 { return int64(time.Since(r.start)) }

// killAll lets the writers write while it kills leader after leader.
func (r *run) killAll(ctx context.Context) error {
	// Counters are made beforehand: to make one again after an answer was lost
	// could put it back.
	for i := range counters {
		if _, err := r.put(ctx, counterKey(i), "0"); err != nil {
			return err
		}
	}
	writeCtx, stop := context.WithCancel(ctx)
	defer stop()
	finished := r.startWriters(writeCtx)
	for k := 1; k <= r.Kills; k++ {
		if err := r.killOnce(ctx, k); err != nil {
			return fmt.Errorf("torture: kill %d: %w", k, err)
		}
	}
	stop()
	return finished()
}

// killOnce kills one leader, waits for the next confirmed write, starts the
// member again and compares hashes once it is back.
func (r *run) killOnce(ctx context.Context, k int) error {
	if err := r.journal.waitConfirmed(ctx, r.WritesBetween, writesTime); err != nil {
		return err
	}
	findCtx, cancel := context.WithTimeout(ctx, returnTime)
	defer cancel()
	leader, err := r.cluster.Leader(findCtx)
	if err != nil {
		return err
	}
	killed := r.now()
	if err := leader.Kill(); err != nil {
		return err
	}
	// Writes called before the process was gone do not count as the next one.
	confirmed := r.journal.restart(r.now())
	r.report.Kills++
	end, err := r.journal.waitNext(ctx, returnTime)
	if err != nil {
		return err
	}
	gap := time.Duration(end - killed)
	r.report.Gaps = append(r.report.Gaps, gap)
	r.progress("kill %d: %s, after %d confirmed writes; next one %v later", k, leader.Name, confirmed, gap.Round(time.Millisecond))
	if err := leader.Start(); err != nil {
		return err
	}
	startCtx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := leader.WaitReady(startCtx); err != nil {
		return err
	}
	r.progress("        %s is back %v after its kill", leader.Name, time.Duration(r.now()-killed).Round(time.Millisecond))
	return r.compareHashes(ctx, k)
}

// judge waits until every member has the last write, reads the journal back
// and each member's own view, and then tries the judges themselves.
func (r *run) judge(ctx context.Context, path string) error {
	// Who has this write has all that were confirmed before it.
	const final = root + "/final"
	if _, err := r.put(ctx, final, "1"); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("torture: open journal: %w", err)
	}
	defer file.Close()
	h, err := jepsen.ReadHistory(file)
	if err != nil {
		return fmt.Errorf("torture: read journal: %w", err)
	}
	r.report.count(h)
	views := map[string]view{}
	for _, m := range r.cluster.Members {
		v, err := waitForView(ctx, m, final)
		if err != nil {
			return err
		}
		views[m.Name] = v
	}
	if err := r.compareHashes(ctx, r.Kills); err != nil {
		return err
	}
	r.report.Wrong = append(judgeViews(h, views), judgeHashes(r.hashes)...)
	for _, s := range r.hashes {
		if len(judgeHashes([]sample{s})) == 0 {
			r.report.Samples = append(r.report.Samples, s.index)
		}
	}
	if r.Program.Ops && len(r.hashes) < r.Samples {
		r.report.Wrong = append(r.report.Wrong, fmt.Sprintf("hashes: compared at %d indices only, %d were asked for", len(r.hashes), r.Samples))
	}
	if err := selfCheck(h, views, r.hashes); err != nil {
		return err
	}
	r.progress("the judges refuse every planted fault")
	return nil
}

func (rep *Report) count(h jepsen.History) {
	for i := range h {
		switch o := &h[i]; {
		case o.Outcome == jepsen.Unknown:
			rep.Unknown++
		case o.Outcome == jepsen.Fail:
			rep.Failed++
		case o.Op == jepsen.Write:
			rep.Keys++
		case o.Op == jepsen.CAS:
			rep.Increments++
		}
	}
}
