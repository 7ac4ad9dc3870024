package wal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/httpd"
	"holdfast/jepsen"
	"holdfast/kernel"
	"holdfast/kernel/cluster"
	"holdfast/kernel/replica"
	"holdfast/transport"
	"holdfast/wal"
)

// machine is a member, what it lies on, and what it tells.
type machine struct {
	w    *world
	name string
	dir  string
	disk *disk
	life int

	member *cluster.Member // nil: down
	server *httpd.Server
	served chan error
	failed chan struct{} // closed when the member must not go on
}

func (m *machine) url() string { return "http://" + m.name + ":2379" }

func (m *machine) start() error {
	m.life++
	failed := make(chan struct{})
	network := slowNetwork{m.w.memory.Host(m.name), &m.w.delay}
	listener, err := network.Listen(m.name + ":2379")
	if err != nil {
		return err
	}
	member, err := cluster.Start(m.w.t.Context(), cluster.Config{
		Name: m.name, DataDir: m.dir, Network: network, ListenPeer: m.name + ":2380", PeerURL: "http://" + m.name + ":2380",
		ClientURLs: []string{m.url()}, Initial: m.w.initial, Token: "t", Log: io.Discard,
		Replica: replica.Config{
			ElectionTimeout: 200 * time.Millisecond, Tick: 100 * time.Millisecond, SnapshotEntries: 200,
			SnapshotCheck: 100 * time.Millisecond, TrailingBytes: 4 << 10, SegmentBytes: 16 << 10,
			Observer: witness{m.w, m.name, m.life},
		},
		// The real Fatal ends the process. Here at least raft's main goroutine, which
		// alone appends to the log, has to end: it panics without its log.
		Fatal: func(err error) {
			if !errors.Is(err, errDisk) {
				m.w.accuse("%s: fatal: %v", m.name, err)
			}
			close(failed)
			runtime.Goexit()
		},
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	m.member, m.failed, m.served = member, failed, make(chan error, 1)
	m.server = httpd.New(httpd.Config{Replica: member.Replica()})
	go func(s *httpd.Server, served chan error) { served <- s.Serve(listener) }(m.server, m.served)
	return nil
}

func (m *machine) stop() {
	if m.member == nil {
		return
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.server.Shutdown(now) // it tells of requests that it cut off
	require.NoError(m.w.t, <-m.served)
	_ = m.member.Close() // it tells of the disk, if that is gone
	m.member = nil
}

// witness hands on what a member tells of itself.
type witness struct {
	w    *world
	name string
	life int
}

// Applied implements replica.Observer.
func (o witness) Applied(a replica.Applied) {
	c := jepsen.Commit{
		Member: o.name, Life: o.life, LogIndex: uint64(a.Index), Term: a.Term, Hash: a.Hash, StoreIndex: uint64(a.StoreIndex),
		Now: int64(a.Now), Session: a.Session.Term, Restored: a.Restored,
	}
	for _, e := range a.Events {
		c.Events = append(c.Events, committed(e))
	}
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	c.At = o.w.now()
	o.w.run.Commits = append(o.w.run.Commits, c)
}

// committed is the kernel's event as histories have it.
func committed(e *kernel.Event) jepsen.Event {
	out := jepsen.Event{Index: uint64(e.Index), Action: e.Action.String(), Refresh: e.Refresh}
	if n := e.Node; n != nil {
		out.Key, out.Dir, out.Value = strings.Clone(n.Path), n.Dir, strings.Clone(n.Value)
		out.CreatedIndex, out.Deadline = uint64(n.Created), int64(n.Deadline)
	}
	if n := e.Prev; n != nil {
		out.PrevIndex, out.PrevValue = uint64(n.Modified), strings.Clone(n.Value)
	}
	return out
}

// Role implements replica.Observer.
func (o witness) Role(state string, term uint64) {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	o.w.run.Roles = append(o.w.run.Roles, jepsen.Role{Member: o.name, Life: o.life, At: o.w.now(), State: state, Term: term})
}

// Reached implements replica.Observer.
func (o witness) Reached(replica.Probe) {}

// Voted implements replica.Observer.
func (o witness) Voted(term uint64, candidate string, readBack bool) {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	o.w.run.Votes = append(o.w.run.Votes, jepsen.Vote{
		Member: o.name, Life: o.life, At: o.w.now(), Term: term, Candidate: candidate, ReadBack: readBack,
	})
}

// slowNetwork delays what is sent.
type slowNetwork struct {
	transport.Network
	delay *atomic.Int64
}

// Listen implements transport.Network.
func (n slowNetwork) Listen(addr string) (net.Listener, error) {
	l, err := n.Network.Listen(addr)
	return slowListener{l, n.delay}, err
}

// Dial implements transport.Network.
func (n slowNetwork) Dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := n.Network.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return slowConn{c, n.delay}, nil
}

type slowListener struct {
	net.Listener
	delay *atomic.Int64
}

func (l slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return slowConn{c, l.delay}, nil
}

type slowConn struct {
	net.Conn
	delay *atomic.Int64
}

func (c slowConn) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(c.delay.Load()))
	return c.Conn.Write(b)
}

// disk is what a member's log lies on.
type disk struct {
	off      atomic.Bool  // nothing is appended any more
	failSync atomic.Bool  // no sync of the log succeeds
	lies     atomic.Bool  // it takes nothing for synced
	slow     atomic.Int64 // how long a sync takes beyond its time, in nanoseconds

	mu     sync.Mutex
	synced map[string]int64 // by path, the length of a file's records when it was synced
}

var errDisk = errors.New("the disk is broken")

func newDisk() *disk { return &disk{synced: map[string]int64{}} }

// do carries out an operation. Records are only appended, so that their length
// tells what of a segment a power cut leaves. What is done beside that, to old segments
// and to other files, may as well have been done before the cut.
func (d *disk) do(op, path string, do func() error) error {
	segment := strings.Trim(filepath.Base(path), "0123456789") == ""
	sync := op == "sync" && segment
	if (op == "append" || sync) && d.off.Load() || sync && d.failSync.Load() {
		return fmt.Errorf("%s %s: %w", op, filepath.Base(path), errDisk)
	}
	if sync {
		time.Sleep(time.Duration(d.slow.Load()))
	}
	if err := do(); err != nil {
		return err
	}
	last := path
	if op == "append" {
		var err error
		if last, err = wal.LastSegment(filepath.Dir(path)); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	size := length(path)
	switch {
	case sync && !d.lies.Load(), last != path && !d.lies.Load(): // a segment that was full is synced unasked
		d.synced[path] = size
	case size < d.synced[path]:
		d.synced[path] = size
	}
	return nil
}

// length is that of a file without the zeros written ahead.
func length(path string) int64 {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	return int64(len(bytes.TrimRight(content, "\x00")))
}

// tear takes away a part of what was not synced of the last segment of the log,
// and tells whether there was any.
func (d *disk) tear(rng *rand.Rand, dir string) (bool, error) {
	path, err := wal.LastSegment(dir)
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	size := length(path)
	if size <= d.synced[path] {
		return false, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	clear(content[d.synced[path]+rng.Int64N(size-d.synced[path]):]) // to what was there before
	return true, os.WriteFile(path, content, 0o600)
}
