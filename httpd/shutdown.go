package httpd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// remember admits a link, if there are fewer than limit of its port, and counts
// it as refused otherwise.
func (s *Server) remember(l *link, limit int, refused *uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping() {
		return false
	}
	if *l.count >= limit {
		*refused++
		return false
	}
	*l.count++
	s.numbered++
	l.number = s.numbered
	s.links[l] = struct{}{}
	return true
}

func (s *Server) forget(l *link) {
	s.mu.Lock()
	if _, known := s.links[l]; known {
		*l.count--
		delete(s.links, l)
	}
	s.mu.Unlock()
}

// park has a poll ended by a shutdown, at once if that has begun.
func (s *Server) park(p *poll) {
	p.taken.link.poll.Store(p)
	s.parked(p).Add(1)
	if s.stopping() {
		p.stop()
	}
}

func (s *Server) unpark(p *poll) {
	if p.taken.link.poll.CompareAndSwap(p, nil) {
		s.parked(p).Add(-1)
	}
}

// parked is how many polls like p there are.
func (s *Server) parked(p *poll) *atomic.Int64 {
	if p.stream {
		return &s.streams
	}
	return &s.longPolls
}

func (s *Server) beginTaken() {
	s.mu.Lock()
	s.takenNow++
	s.mu.Unlock()
}

func (s *Server) endTaken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takenNow--
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *Server) stopping() bool { return s.stop.Load() }

// Shutdown stops serving: no new connections, watches end with a complete
// answer, requests under way finish. What is left when ctx ends, or after
// ShutdownTimeout, is cut off, and the error says so.
func (s *Server) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ShutdownTimeout)
	defer cancel()
	s.beginStop()
	var errs []error
	for _, server := range []*fasthttp.Server{s.http, s.ops} {
		// When time has run out, what is still open is counted below.
		if err := server.ShutdownWithContext(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for ctx.Err() == nil && s.busy() {
		select {
		case <-s.changed:
		case <-ctx.Done():
		}
	}
	if n := s.cutOff(); n > 0 {
		errs = append(errs, fmt.Errorf("%d connections had to be cut off", n))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

// beginStop ends the polls and closes the connections on which nothing was
// asked yet.
func (s *Server) beginStop() {
	s.mu.Lock()
	s.stop.Store(true)
	for _, ln := range s.listeners {
		_ = ln.Close() // fasthttp does so too, except to one it has not got yet
	}
	links := s.sortedLinks()
	s.mu.Unlock()
	for _, l := range links {
		if p := l.poll.Load(); p != nil {
			p.stop()
		}
	}
	for _, l := range links {
		if !l.asked.Load() && !l.answering.Load() {
			_ = l.Close()
		}
	}
}

// sortedLinks gives the links in the order they were accepted, with mu held:
// a shutdown in the simulator must not depend on the order of a map.
func (s *Server) sortedLinks() []*link {
	return slices.SortedFunc(maps.Keys(s.links), func(a, b *link) int { return cmp.Compare(a.number, b.number) })
}

func (s *Server) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takenNow > 0
}

// cutOff closes whatever is open.
func (s *Server) cutOff() int {
	s.mu.Lock()
	left := s.sortedLinks()
	s.mu.Unlock()
	for _, l := range left {
		_ = l.Close()
	}
	return len(left)
}
