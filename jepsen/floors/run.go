package floors

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"holdfast/jepsen/process"
)

// Limits of a run.
const (
	MinSlices = 1
	MaxSlices = 1000
	MinSlice  = 100 * time.Millisecond
	MaxSlice  = time.Minute
)

// Config is what to do.
type Config struct {
	// Bench is the executable whose subcommand bench makes the load: holdfast.
	Bench string
	// Ours is held against Theirs.
	Ours, Theirs process.Program
	// Dir takes data directories and logs.
	Dir string
	// Only runs the rows whose name and members contain it, as in "PUT, 3"; empty:
	// all.
	Only string
	// Slices is how many slices each store has for a row, Slice how long one is.
	Slices int
	Slice  time.Duration
	// Progress takes a line for every row.
	Progress io.Writer
}

// Check is an error if something is out of range.
func (cfg *Config) Check() error {
	if cfg.Slices < MinSlices || cfg.Slices > MaxSlices || cfg.Slice < MinSlice || cfg.Slice > MaxSlice {
		return fmt.Errorf("floors: %d slices of %v: out of range; %d to %d of %v to %v", cfg.Slices, cfg.Slice, MinSlices, MaxSlices, MinSlice, MaxSlice)
	}
	if len(cfg.rows()) == 0 {
		return fmt.Errorf("floors: only %q: no row is called so; %q is the first", cfg.Only, Table[0].title())
	}
	return nil
}

func (r *Row) title() string { return fmt.Sprintf("%s, %d members", r.Name, r.Members) }

// rows gives the rows asked for.
func (cfg *Config) rows() (rows []Row) {
	for _, r := range Table {
		if strings.Contains(r.title(), cfg.Only) {
			rows = append(rows, r)
		}
	}
	return rows
}

// startTime is the patience for members to start and to find a leader.
const startTime = 2 * time.Minute

// Run measures the rows asked for. Whether they hold is in the report's Err; the
// error here is about what kept it from measuring at all.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	var report Report
	for _, row := range cfg.rows() {
		report = append(report, Result{Row: row})
	}
	for _, members := range []int{1, 3} {
		var some []*Result
		for i := range report {
			if report[i].Members == members {
				some = append(some, &report[i])
			}
		}
		if err := cfg.measure(ctx, members, some); err != nil {
			return report, fmt.Errorf("floors: %d members: %w", members, err)
		}
	}
	return report, nil
}

// measure starts both stores and measures the rows of so many members.
func (cfg *Config) measure(ctx context.Context, members int, rows []*Result) (err error) {
	if len(rows) == 0 {
		return nil
	}
	var stores [2]*process.Cluster
	for i, p := range []process.Program{cfg.Ours, cfg.Theirs} {
		dir := filepath.Join(cfg.Dir, fmt.Sprintf("%d-%s", members, []string{"ours", "theirs"}[i]))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		starting, cancel := context.WithTimeout(ctx, startTime)
		stores[i], err = process.StartCluster(starting, p, dir, members)
		cancel()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stores[i].KillAll()) }()
	}
	for _, r := range rows {
		r.Missing = cfg.row(ctx, r, stores)
		fmt.Fprintf(cfg.Progress, "%s, %d connections: throughput %v, per CPU second %v\n", r.title(), r.Connections, r.Throughput, r.CPU)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// row measures one row.
func (cfg *Config) row(ctx context.Context, r *Result, stores [2]*process.Cluster) error {
	args := []string{
		"bench", "--connections", strconv.Itoa(r.Connections),
		"--slices", strconv.Itoa(cfg.Slices), "--slice", cfg.Slice.String(), "--json", "-",
	}
	args = append(args, r.Load...)
	for i, c := range stores {
		name, flag := "holdfast", "--target"
		if i == 1 {
			name, flag = "etcd", "--against"
		}
		if i == 1 && r.Bare {
			continue
		}
		m, err := cfg.through(ctx, c, r.Follower)
		if err != nil {
			return err
		}
		args = append(args, flag, name+"="+m.ClientURL, "--pid", name+"="+c.PIDs())
	}
	if r.Bare {
		bare, url, err := cfg.bare(ctx, stores[0].Members[0])
		if err != nil {
			return err
		}
		defer bare.stop()
		args = append(args, "--against", "bare="+url, "--pid", "bare="+strconv.Itoa(bare.cmd.Process.Pid))
	}
	cmd := exec.CommandContext(ctx, cfg.Bench, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", cfg.Bench, strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return r.read(out.Bytes())
}

// through finds the member that clients talk to.
func (cfg *Config) through(ctx context.Context, c *process.Cluster, follower bool) (*process.Member, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	leader, err := c.Leader(ctx)
	if err != nil || !follower {
		return leader, err
	}
	for _, m := range c.Members {
		if m != leader {
			return m, nil
		}
	}
	return nil, errors.New("a cluster of one has no follower")
}

// bareServer is "holdfast bench bare" in a process of its own.
type bareServer struct{ cmd *exec.Cmd }

// bare starts a server that answers as the member does, and tells its URL.
func (cfg *Config) bare(ctx context.Context, like *process.Member) (*bareServer, string, error) {
	b := &bareServer{cmd: exec.CommandContext(ctx, cfg.Bench, "--endpoints", like.ClientURL, "bench", "bare", "--listen", "127.0.0.1:0")}
	stderr, err := b.cmd.StderrPipe()
	if err == nil {
		err = b.cmd.Start()
	}
	if err != nil {
		return nil, "", fmt.Errorf("bare server: %w", err)
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	_, rest, found := strings.Cut(line, "http://")
	url, _, _ := strings.Cut(rest, " ")
	if err != nil || !found {
		b.stop()
		return nil, "", fmt.Errorf("bare server: it did not say where it listens: %q: %w", line, err)
	}
	return b, "http://" + url, nil
}

// stop ends the server. How it ends says nothing.
func (b *bareServer) stop() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}
