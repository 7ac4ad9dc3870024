package curves

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/jepsen/process"
)

const (
	// parkingLine is what a parker says when all its watches are parked.
	parkingLine = "parked"
	// parkerWatches is how many one process holds: each takes a descriptor.
	parkerWatches = 12_500
	// parkers is how many connections are made at the same time.
	parkers     = 32
	parkTimeout = 30 * time.Second
	headBytes   = 4 << 10
)

// Park opens watches of the keys /parked/kFIRST and following at an endpoint,
// http://host:port, says "parked" on out when the store has taken all, and holds
// them until in ends.
func Park(ctx context.Context, endpoint string, first, watches int, in io.Reader, out io.Writer) error {
	conns, err := park(ctx, endpoint, first, watches)
	defer func() {
		for _, c := range conns {
			_ = c.Close() // nothing is lost with it
		}
	}()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, parkingLine); err != nil {
		return fmt.Errorf("park: %w", err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return fmt.Errorf("park: wait for the end: %w", err)
	}
	return nil
}

// park opens watches. What was opened before an error is returned too.
func park(ctx context.Context, endpoint string, first, watches int) ([]net.Conn, error) {
	conns := make([]net.Conn, watches)
	var next atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, parkers)
	for range min(parkers, watches) {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= watches {
					return
				}
				var err error
				if conns[i], err = parkOne(ctx, endpoint, first+i); err != nil {
					next.Store(int64(watches)) // the others stop too
					failures <- fmt.Errorf("park watch %d at %s: %w", first+i, endpoint, err)
					return
				}
			}
		})
	}
	group.Wait()
	var open []net.Conn
	for _, c := range conns {
		if c != nil {
			open = append(open, c)
		}
	}
	select {
	case err := <-failures:
		return open, err
	default:
		return open, ctx.Err()
	}
}

// parkOne opens one watch and returns when its head has come.
func parkOne(ctx context.Context, endpoint string, number int) (net.Conn, error) {
	address := strings.TrimPrefix(endpoint, "http://")
	dialer := net.Dialer{Timeout: parkTimeout}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	err = c.SetDeadline(time.Now().Add(parkTimeout))
	if err == nil {
		_, err = fmt.Fprintf(c, "GET /v2/keys/parked/k%08d?wait=true HTTP/1.1\r\nHost: %s\r\n\r\n", number, address)
	}
	if err == nil {
		err = readHead(c)
	}
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// readHead reads to the end of a head with status 200.
func readHead(c net.Conn) error {
	head := make([]byte, 0, headBytes)
	for !bytes.Contains(head, []byte("\r\n\r\n")) {
		if len(head) == cap(head) {
			return fmt.Errorf("a head longer than %d bytes", headBytes)
		}
		n, err := c.Read(head[len(head):cap(head)])
		if err != nil {
			return fmt.Errorf("read the head: %w", err)
		}
		head = head[:len(head)+n]
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("refused: %.200q", head)
	}
	return nil
}

// lot is where watches are parked, spread over the members of a cluster.
type lot struct {
	walk   *walk
	parked int // also the number of the next key
	leaves []func() error
}

// grow parks until there are n watches, as many at each member.
func (l *lot) grow(ctx context.Context, c *process.Cluster, n int) error {
	more := n - l.parked
	for i, m := range c.Members {
		here := (more + i) / len(c.Members) // adds up to more
		for here > 0 {
			some := min(here, parkerWatches)
			if err := l.park(ctx, m.ClientURL, l.parked, some); err != nil {
				return err
			}
			l.parked, here = l.parked+some, here-some
		}
	}
	return nil
}

// park parks some watches at a member.
func (l *lot) park(ctx context.Context, endpoint string, first, watches int) error {
	if len(l.walk.Parker) == 0 {
		conns, err := park(ctx, endpoint, first, watches)
		l.leaves = append(l.leaves, func() error {
			for _, c := range conns {
				_ = c.Close() // nothing is lost with it
			}
			return nil
		})
		return err
	}
	args := append(append([]string(nil), l.walk.Parker[1:]...), endpoint, strconv.Itoa(first), strconv.Itoa(watches))
	command := exec.CommandContext(ctx, l.walk.Parker[0], args...)
	var errs bytes.Buffer
	command.Stderr = &errs
	in, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("start a parker: %w", err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start a parker: %w", err)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start a parker: %w", err)
	}
	leave := func() error {
		_ = in.Close() // which tells it to end
		if err := command.Wait(); err != nil {
			return fmt.Errorf("parker: %w: %s", err, bytes.TrimSpace(errs.Bytes()))
		}
		return nil
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); strings.TrimSpace(line) != parkingLine {
		return errors.Join(fmt.Errorf("a parker said %q where %q was expected: %w", line, parkingLine, err), leave())
	}
	l.leaves = append(l.leaves, leave)
	return nil
}

// leave ends all watches.
func (l *lot) leave() error {
	var all error
	for _, leave := range l.leaves {
		all = errors.Join(all, leave())
	}
	l.leaves = nil
	return all
}
