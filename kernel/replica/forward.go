package replica

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"holdfast/kernel"
	"holdfast/transport"
)

// forwarder passes a follower's requests to the leader over one pipelined
// connection. A write is sent at most once: what was handed to a connection
// that then broke has an unknown outcome.
type forwarder struct {
	r *Replica

	mu      sync.Mutex
	addr    string // of the leader that conn or dialing goes to
	conn    *forwardConn
	dialing *dial
	closed  bool
	wg      sync.WaitGroup
}

// dial is a connection in the making; all who want it wait for the same.
type dial struct {
	done chan struct{}
	conn *forwardConn
	err  error
}

// maxForwards bounds the requests under way on a connection.
const maxForwards = 65536

func newForwarder(r *Replica) *forwarder { return &forwarder{r: r} }

func (f *forwarder) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wg.Wait()
	f.mu.Lock()
	c := f.conn
	f.conn = nil
	f.mu.Unlock()
	if c != nil {
		c.fail(ErrStopped)
		<-c.gone
	}
}

// leaderIs breaks the connection to a leader that is none any more: what it was
// asked may never be answered. While none is known, the old one may still be.
func (f *forwarder) leaderIs(addr string) {
	f.mu.Lock()
	c := f.conn
	stale := c != nil && addr != "" && addr != f.addr
	if stale {
		f.conn = nil
	}
	f.mu.Unlock()
	if stale {
		c.fail(errLeaderChanged)
	}
}

var errLeaderChanged = errors.New("the leader changed")

// to gives the connection to the present leader, dialling if need be. An
// error means that nothing was sent.
func (f *forwarder) to(ctx context.Context) (*forwardConn, error) {
	addr, id := f.r.node().LeaderWithID()
	if addr == "" || memberID(id) == f.r.cfg.ID {
		return nil, ErrNoLeader
	}
	conn, d, err := f.use(string(addr))
	if d == nil {
		return conn, err
	}
	select {
	case <-d.done:
		return d.conn, d.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w (%w)", ErrNoLeader, ctx.Err())
	}
}

// use gives the connection to addr, or the dial that will become it.
func (f *forwarder) use(addr string) (*forwardConn, *dial, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, nil, ErrStopped
	}
	if f.addr == addr && f.conn != nil && f.conn.alive() {
		return f.conn, nil, nil
	}
	if f.addr == addr && f.dialing != nil {
		return nil, f.dialing, nil
	}
	if f.conn != nil {
		f.conn.fail(errLeaderChanged)
		f.conn = nil
	}
	d := &dial{done: make(chan struct{})}
	f.addr, f.dialing = addr, d
	f.wg.Add(1)
	go f.dial(addr, d)
	return nil, d, nil
}

// dial opens a connection, in the time of an election: after that there may
// be another leader.
func (f *forwarder) dial(addr string, d *dial) {
	defer f.wg.Done()
	ctx, cancel := context.WithTimeout(context.Background(), f.r.cfg.ElectionTimeout)
	defer cancel()
	nc, err := transport.DialProto(ctx, f.r.cfg.Network, addr, transport.ProtoForward)
	f.mu.Lock()
	switch {
	case err != nil:
		d.err = fmt.Errorf("%w (dial leader %s: %w)", ErrNoLeader, addr, err)
	case f.dialing != d:
		_ = nc.Close() // for a leader that is none any more
		d.err = fmt.Errorf("%w (%w)", ErrNoLeader, errLeaderChanged)
	default:
		d.conn = newForwardConn(nc, f.r.meters)
		f.conn = d.conn
	}
	if f.dialing == d {
		f.dialing = nil
	}
	f.mu.Unlock()
	close(d.done)
}

// propose sends a command to the leader, and returns its answer once this
// member has applied it too.
func (f *forwarder) propose(ctx context.Context, command []byte) (Answer, error) {
	c, err := f.to(ctx)
	if err != nil {
		return Answer{}, err
	}
	got, err := c.ask(ctx, framePropose, command)
	if err != nil {
		if errors.Is(err, ErrUnknown) && ctx.Err() == nil {
			f.r.reached(ProbeForwardBroken)
		}
		return Answer{}, err
	}
	if err := got.refusal(); err != nil {
		return Answer{}, err
	}
	a, err := decodeAnswer(got.body)
	a.Unlogged = got.kind == frameUnlogged
	if err != nil || got.kind != frameAnswer && !a.Unlogged {
		c.fail(fmt.Errorf("answer of kind %d: %w", got.kind, errFrame))
		return Answer{}, fmt.Errorf("%w (the leader's answer cannot be read)", ErrUnknown)
	}
	f.r.commits.hint(a.LogIndex, a.Term)
	if err := f.r.waitApplied(ctx, a.LogIndex); err != nil {
		// It is applied on a quorum; this member did not hear of it in time.
		return Answer{}, fmt.Errorf("%w (%w)", ErrUnknown, err)
	}
	if a.Unlogged {
		f.r.state.countRefusal(command)
	}
	return a, nil
}

// readIndex asks the leader for an index to read at.
func (f *forwarder) readIndex(ctx context.Context) (kernel.LogIndex, error) {
	c, err := f.to(ctx)
	if err != nil {
		return 0, err
	}
	got, err := c.ask(ctx, frameReadIndex, nil)
	if err == nil {
		err = got.refusal()
	}
	if errors.Is(err, ErrUnknown) {
		// A read has no outcome to be unknown: it may be asked again.
		return 0, fmt.Errorf("%w (%v)", ErrNoLeader, err)
	}
	if err != nil {
		return 0, err
	}
	index, term, err := decodeIndex(got.body)
	if err != nil || got.kind != frameIndex {
		c.fail(errFrame)
		return 0, fmt.Errorf("%w (the leader's answer cannot be read)", ErrNoLeader)
	}
	f.r.commits.hint(index, term)
	return index, nil
}

// refusal is the error that a refusing frame stands for.
func (f frame) refusal() error {
	switch f.kind {
	case frameRefused:
		return fmt.Errorf("%w (%.200s)", ErrNoLeader, f.body)
	case frameUnknown:
		return fmt.Errorf("%w (%.200s)", ErrUnknown, f.body)
	case frameBusy:
		return fmt.Errorf("%w (%.200s)", ErrBusy, f.body)
	case frameUnreadable:
		return fmt.Errorf("%w (%.200s)", ErrUnreadable, f.body)
	}
	return nil
}

// load gives the requests under way on the present connection, and the bytes of
// them that wait to be sent.
func (f *forwarder) load() (under, backlog uint64) {
	f.mu.Lock()
	c := f.conn
	f.mu.Unlock()
	if c == nil {
		return 0, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint64(len(c.waiting)), c.out.backlog()
}

// forwardConn is one connection; it belongs to the requests on it.
type forwardConn struct {
	nc     net.Conn
	meters *meters
	out    *frameWriter
	gone   chan struct{} // closed when the reader has ended

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan frame
	broken  error
}

func newForwardConn(nc net.Conn, m *meters) *forwardConn {
	c := &forwardConn{nc: nc, meters: m, gone: make(chan struct{}), waiting: map[uint64]chan frame{}}
	c.out = newFrameWriter(nc, c.fail)
	go c.read()
	return c
}

func (c *forwardConn) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken == nil
}

// fail breaks the connection; every request on it ends with ErrUnknown.
func (c *forwardConn) fail(err error) {
	c.mu.Lock()
	if c.broken == nil {
		c.broken = err
		if errors.Is(err, ErrBusy) {
			c.meters.forwardBroken.Add(1)
		}
	}
	waiting := c.waiting
	c.waiting = map[uint64]chan frame{}
	c.mu.Unlock()
	// Closing can only fail for a connection that is broken already.
	_ = c.nc.Close()
	c.out.close()
	for _, ch := range waiting {
		close(ch)
	}
}

// ask sends a request and waits for its answer. ErrNoLeader, ErrBusy: it was
// not sent. Everything else is ErrUnknown.
func (c *forwardConn) ask(ctx context.Context, kind byte, body []byte) (frame, error) {
	ch := make(chan frame, 1)
	c.mu.Lock()
	if c.broken != nil {
		err := c.broken
		c.mu.Unlock()
		return frame{}, fmt.Errorf("%w (%w)", ErrNoLeader, err)
	}
	if len(c.waiting) >= maxForwards {
		c.mu.Unlock()
		c.meters.forwardsRefused.Add(1)
		return frame{}, ErrBusy
	}
	c.next++
	id := c.next
	c.waiting[id] = ch
	c.mu.Unlock()
	c.meters.forwards.Add(1)
	c.out.write(frame{kind, id, body})
	select {
	case got, ok := <-ch:
		if !ok {
			return frame{}, fmt.Errorf("%w (the connection to the leader broke)", ErrUnknown)
		}
		return got, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
		return frame{}, fmt.Errorf("%w (%w)", ErrUnknown, ctx.Err())
	}
}

func (c *forwardConn) read() {
	defer close(c.gone)
	br := bufio.NewReaderSize(c.nc, 64<<10)
	for {
		f, err := readFrame(br)
		if err != nil {
			c.fail(err)
			return
		}
		c.mu.Lock()
		ch := c.waiting[f.id]
		delete(c.waiting, f.id)
		c.mu.Unlock()
		if ch != nil {
			ch <- f
		}
	}
}
