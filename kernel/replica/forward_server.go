package replica

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"

	"holdfast/kernel"
)

// forwardServer answers the requests that other members forward.
type forwardServer struct {
	r  *Replica
	ln net.Listener

	mu     sync.Mutex
	conns  map[net.Conn]*frameWriter
	closed bool
	wg     sync.WaitGroup
}

// maxForwardConns bounds the members that may be connected at once.
const maxForwardConns = 4 * kernel.MaxMembers

func serveForwards(r *Replica, ln net.Listener) *forwardServer {
	s := &forwardServer{r: r, ln: ln, conns: map[net.Conn]*frameWriter{}}
	s.wg.Add(1)
	go s.accept()
	return s
}

func (s *forwardServer) accept() {
	defer s.wg.Done()
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed || len(s.conns) >= maxForwardConns {
			s.mu.Unlock()
			_ = nc.Close()
			s.r.meters.forwardConnsRefused.Add(1)
			continue
		}
		w := s.writer(nc)
		s.conns[nc] = w
		s.wg.Add(1)
		s.mu.Unlock()
		go s.serve(nc, w)
	}
}

// writer sends answers on nc. A member that does not take them loses it.
func (s *forwardServer) writer(nc net.Conn) *frameWriter {
	var once sync.Once
	return newFrameWriter(nc, func(err error) {
		_ = nc.Close()
		if errors.Is(err, ErrBusy) {
			once.Do(func() { s.r.meters.answersBroken.Add(1) })
		}
	})
}

// load counts the connections, and the bytes of answers that wait on the
// fullest of them.
func (s *forwardServer) load() (conns, backlog uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.conns {
		backlog = max(backlog, w.backlog())
	}
	return uint64(len(s.conns)), backlog
}

func (s *forwardServer) close() {
	_ = s.ln.Close()
	s.mu.Lock()
	s.closed = true
	for nc := range s.conns {
		_ = nc.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *forwardServer) serve(nc net.Conn, w *frameWriter) {
	defer s.wg.Done()
	defer func() {
		w.close()
		_ = nc.Close()
		s.mu.Lock()
		delete(s.conns, nc)
		s.mu.Unlock()
	}()
	br := bufio.NewReaderSize(nc, 64<<10)
	for {
		f, err := readFrame(br)
		if err != nil {
			return
		}
		switch f.kind {
		case framePropose:
			s.propose(w, f)
		case frameReadIndex:
			s.wg.Add(1)
			go s.readIndex(w, f.id)
		case frameMembers:
			w.write(frame{frameTable, f.id, s.r.table().append(nil)})
		default:
			s.r.logf("forward: a member sent a request of kind %d; closing: is it a newer version?", f.kind)
			return
		}
	}
}

func (s *forwardServer) propose(w *frameWriter, f frame) {
	// A command is checked before it is proposed: in the log it would stop
	// every member that cannot read it.
	if _, err := kernel.DecodeCommand(f.body); err != nil {
		w.write(frame{frameUnreadable, f.id, []byte(err.Error())})
		return
	}
	finish := finishFunc(func(a Answer, err error) {
		if err != nil {
			w.write(refusalFrame(f.id, err))
			return
		}
		kind := byte(frameAnswer)
		if a.Unlogged {
			kind = frameUnlogged
		}
		w.write(frame{kind, f.id, appendAnswer(nil, a)})
	})
	if err := s.r.batcher.submit(proposal{command: f.body, finisher: finish}); err != nil {
		w.write(refusalFrame(f.id, err))
	}
}

func refusalFrame(id uint64, err error) frame {
	kind := byte(frameUnknown)
	switch {
	case errors.Is(err, ErrNoLeader), errors.Is(err, ErrStopped):
		kind = frameRefused
	case errors.Is(err, ErrBusy):
		kind = frameBusy
	}
	return frame{kind, id, []byte(err.Error())}
}

func (s *forwardServer) readIndex(w *frameWriter, id uint64) {
	defer s.wg.Done()
	ctx, cancel := context.WithTimeout(context.Background(), s.r.cfg.requestTimeout())
	defer cancel()
	index, err := s.r.reads.index(ctx)
	if err != nil {
		w.write(refusalFrame(id, err))
		return
	}
	w.write(frame{frameIndex, id, appendIndex(nil, index, s.r.state.term.Load())})
}
