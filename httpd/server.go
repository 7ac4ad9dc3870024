package httpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"holdfast/kernel/replica"
)

// DefaultVersion is the etcd release whose answers these are.
const DefaultVersion = "3.4.23"

// Limits are the bounds that may be set; a zero stands for the default.
type Limits struct {
	MaxConns                                            int
	HeadTimeout, BodyTimeout, IdleTimeout, WriteTimeout time.Duration
}

func (l Limits) complete() Limits {
	if l.MaxConns <= 0 {
		l.MaxConns = DefaultMaxConns
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&l.HeadTimeout, DefaultHeadTimeout}, {&l.BodyTimeout, DefaultBodyTimeout},
		{&l.IdleTimeout, DefaultIdleTimeout}, {&l.WriteTimeout, DefaultWriteTimeout},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	return l
}

// Config says what a server serves.
type Config struct {
	Replica *replica.Replica
	// Version is the etcd release that /version names, since clients read it
	// there and expect three numbers; default: DefaultVersion.
	Version string
	// Build is this build's own version, for the header X-Holdfast-Version
	// that /version carries; default: no header.
	Build  string
	Limits Limits
	// Logf takes what an operator should know; nil discards it.
	Logf func(format string, args ...any)
}

// Server serves the HTTP APIs of one member. Its methods may be called from
// any goroutine.
type Server struct {
	replica   *replica.Replica
	version   string
	build     string
	limits    Limits
	logf      func(format string, args ...any)
	clusterID []byte
	http      *fasthttp.Server
	ops       *fasthttp.Server

	getsSuccess, getsFail atomic.Uint64

	mu        sync.Mutex
	links     map[*link]struct{} // looked up and, in a shutdown, all closed
	polls     map[*poll]struct{} // likewise
	listeners []net.Listener
	takenNow  int
	stop      bool
	changed   chan struct{} // gets a token when links or takenNow shrink in a shutdown
}

// New makes a server; Serve and ServeOps start it.
func New(cfg Config) *Server {
	s := &Server{
		replica: cfg.Replica, version: cfg.Version, build: cfg.Build, limits: cfg.Limits.complete(), logf: cfg.Logf,
		links: map[*link]struct{}{}, polls: map[*poll]struct{}{}, changed: make(chan struct{}, 1),
	}
	if s.logf == nil {
		s.logf = func(string, ...any) {}
	}
	if s.version == "" {
		s.version = DefaultVersion
	}
	s.clusterID = strconv.AppendUint(nil, s.replica.Status().ClusterID, 16)
	s.http = s.newHTTP(s.handle)
	s.ops = s.newHTTP(s.OpsHandler)
	return s
}

func (s *Server) newHTTP(handler fasthttp.RequestHandler) *fasthttp.Server {
	body := fasthttp.RequestConfig{ReadTimeout: s.limits.BodyTimeout}
	return &fasthttp.Server{
		Handler:        s.guarded(handler),
		ErrorHandler:   s.badRequest,
		HeaderReceived: func(*fasthttp.RequestHeader) fasthttp.RequestConfig { return body },
		Logger:         logger(s.logf),
		// One more than our own limit, so that the answer to one connection
		// too many is ours.
		Concurrency:                  s.limits.MaxConns + 1,
		ReadBufferSize:               MaxHeadBytes,
		MaxRequestBodySize:           MaxBodyBytes,
		ReadTimeout:                  s.limits.HeadTimeout,
		WriteTimeout:                 s.limits.WriteTimeout,
		IdleTimeout:                  s.limits.IdleTimeout,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		LazyRequestTime:              true,
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
	}
}

// logger is fasthttp's way to our log.
type logger func(format string, args ...any)

// Printf implements fasthttp.Logger.
func (l logger) Printf(format string, args ...any) { l("httpd: "+format, args...) }

// Serve serves clients until Shutdown, which makes it return nil, or until
// the listener fails. It closes the listener. There may be several.
func (s *Server) Serve(ln net.Listener) error { return s.serve(s.http, ln) }

// ServeOps serves the ops port, likewise.
func (s *Server) ServeOps(ln net.Listener) error { return s.serve(s.ops, ln) }

func (s *Server) serve(server *fasthttp.Server, ln net.Listener) error {
	s.mu.Lock()
	stopped := s.stop
	s.listeners = append(s.listeners, ln)
	s.mu.Unlock()
	if stopped {
		return ln.Close()
	}
	if err := server.Serve(&listener{ln, s}); err != nil && !s.stopping() {
		return fmt.Errorf("serve %v: %w", ln.Addr(), err)
	}
	return nil
}

// guarded keeps a panic within its own request.
func (s *Server) guarded(handler fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		defer func() {
			if fault := recover(); fault != nil {
				s.logPanic(fault)
				ctx.Response.Reset()
				plainError(ctx, fasthttp.StatusInternalServerError, "internal error; see this member's log")
				ctx.SetConnectionClose()
			}
		}()
		handler(ctx)
	}
}

func (s *Server) logPanic(fault any) {
	s.logf("httpd: panic while serving a request: %v\n%s", fault, debug.Stack())
}

// badRequest answers what fasthttp could not read.
func (s *Server) badRequest(ctx *fasthttp.RequestCtx, err error) {
	var tooLong *fasthttp.ErrSmallBuffer
	var slow net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		setCORS(&ctx.Response.Header)
		ctx.SetStatusCode(fasthttp.StatusRequestEntityTooLarge)
		ctx.Response.Header.SetContentType(typeJSON)
		setUint(&ctx.Response.Header, headerEtcdIndex, 0)
		ctx.Response.SetBody(appendRefusal(nil, refuse(codeInvalidForm, fmt.Sprintf("the body is longer than %d bytes", MaxBodyBytes))))
	case errors.As(err, &tooLong):
		plainError(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge,
			fmt.Sprintf("431 request line and headers are longer than %d bytes; shorten them", MaxHeadBytes))
	case errors.Is(err, fasthttp.ErrTimeout) || errors.As(err, &slow) && slow.Timeout():
		plainError(ctx, fasthttp.StatusRequestTimeout,
			fmt.Sprintf("408 request not complete in time: %v for its head, %v for its body", s.limits.HeadTimeout, s.limits.BodyTimeout))
	default:
		plainError(ctx, fasthttp.StatusBadRequest, "400 Bad Request")
	}
}

func (s *Server) remember(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop || len(s.links) >= s.limits.MaxConns {
		return false
	}
	s.links[l] = struct{}{}
	return true
}

func (s *Server) forget(l *link) {
	s.mu.Lock()
	delete(s.links, l)
	s.signal()
	s.mu.Unlock()
}

// park registers a poll to be ended by a shutdown; no if that has begun.
func (s *Server) park(p *poll) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stop {
		s.polls[p] = struct{}{}
	}
	return !s.stop
}

func (s *Server) unpark(p *poll) {
	s.mu.Lock()
	delete(s.polls, p)
	s.mu.Unlock()
}

func (s *Server) beginTaken() {
	s.mu.Lock()
	s.takenNow++
	s.mu.Unlock()
}

func (s *Server) endTaken() {
	s.mu.Lock()
	s.takenNow--
	s.signal()
	s.mu.Unlock()
}

func (s *Server) signal() {
	if !s.stop {
		return
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stop
}

// Shutdown stops serving: no new connections, watches end with a complete
// answer, requests under way finish. What is left when ctx ends, or after
// ShutdownTimeout, is cut off, and the error says so.
func (s *Server) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ShutdownTimeout)
	defer cancel()
	s.beginStop()
	var errs []error
	for _, server := range []*fasthttp.Server{s.http, s.ops} {
		if err := server.ShutdownWithContext(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
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
	var fresh []*link
	s.mu.Lock()
	s.stop = true
	for _, ln := range s.listeners {
		_ = ln.Close() // fasthttp does so too, except to one it has not got yet
	}
	for p := range s.polls {
		p.end()
	}
	for l := range s.links {
		if !l.heard.Load() {
			fresh = append(fresh, l)
		}
	}
	s.mu.Unlock()
	for _, l := range fresh {
		_ = l.Close()
	}
}

func (s *Server) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takenNow > 0
}

// cutOff closes whatever is open.
func (s *Server) cutOff() int {
	s.mu.Lock()
	var left []*link
	for l := range s.links {
		left = append(left, l)
	}
	s.mu.Unlock()
	for _, l := range left {
		_ = l.Close()
	}
	return len(left)
}
