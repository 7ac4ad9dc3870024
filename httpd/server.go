package httpd

import (
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

// deadlineSlack is by how much a connection may be given up too early: so little
// of the shortest limit that nobody minds.
func (l Limits) deadlineSlack() time.Duration {
	return min(l.HeadTimeout, l.BodyTimeout, l.IdleTimeout, l.WriteTimeout) / 16
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
	// deadlineSlack is limits', for each request asks.
	deadlineSlack time.Duration

	http *fasthttp.Server
	ops  *fasthttp.Server

	getsSuccess, getsFail atomic.Uint64
	requests, opsRequests requestCounts
	snapshots             snapshotGate
	metrics               fasthttp.RequestHandler

	longPolls, streams atomic.Int64 // parked
	stop               atomic.Bool  // set with mu held
	// watchHead is what the heads of all watches have in common.
	watchHead []byte

	mu sync.Mutex
	// clientLinks and opsLinks count the links of either port.
	clientLinks, opsLinks     int
	clientRefused, opsRefused uint64 // links beyond the limit
	links                     map[*link]struct{}
	numbered                  uint64 // links so far
	listeners                 []net.Listener
	takenNow                  int
	changed                   chan struct{} // gets a token when takenNow shrinks in a shutdown
}

// New makes a server; Serve and ServeOps start it.
func New(cfg Config) *Server {
	s := &Server{
		replica: cfg.Replica, version: cfg.Version, build: cfg.Build, limits: cfg.Limits.complete(), logf: cfg.Logf,
		links: map[*link]struct{}{}, changed: make(chan struct{}, 1),
	}
	if s.logf == nil {
		s.logf = func(string, ...any) {}
	}
	if s.version == "" {
		s.version = DefaultVersion
	}
	s.deadlineSlack = s.limits.deadlineSlack()
	s.clusterID = strconv.AppendUint(nil, s.replica.Status().ClusterID, 16)
	s.watchHead = s.newWatchHead()
	s.http = s.newHTTP(s.handle, &s.requests)
	s.ops = s.newHTTP(s.OpsHandler, &s.opsRequests)
	return s
}

func (s *Server) newHTTP(handler fasthttp.RequestHandler, counts *requestCounts) *fasthttp.Server {
	return &fasthttp.Server{
		Handler: s.guarded(handler, counts),
		ErrorHandler: func(ctx *fasthttp.RequestCtx, err error) {
			s.badRequest(ctx, err)
			counts.unread(ctx.Response.StatusCode())
		},
		HeaderReceived: s.allowBodyTime,
		Logger:         quiet{},
		// One more than our own limit, so that the answer to one connection
		// too many is ours.
		Concurrency:                  s.limits.MaxConns + 1,
		ReadBufferSize:               MaxHeadBytes,
		MaxRequestBodySize:           MaxBodyBytes,
		ReadTimeout:                  s.limits.HeadTimeout,
		WriteTimeout:                 s.limits.WriteTimeout,
		IdleTimeout:                  s.limits.IdleTimeout,
		MaxIdleWorkerDuration:        idleWorkerTime,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		LazyRequestTime:              true,
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
	}
}

// allowBodyTime gives a body that does not come with its head time of its own.
func (s *Server) allowBodyTime(h *fasthttp.RequestHeader) (c fasthttp.RequestConfig) {
	const chunked = -1
	if n := h.ContentLength(); n > MaxHeadBytes || n == chunked {
		c.ReadTimeout = s.limits.BodyTimeout
	}
	return c
}

// quiet keeps fasthttp's complaints about clients out of our log, which any
// client could fill with them.
type quiet struct{}

// Printf implements fasthttp.Logger.
func (quiet) Printf(string, ...any) {}

// Serve serves clients until Shutdown, which makes it return nil, or until
// the listener fails. It closes the listener. There may be several.
func (s *Server) Serve(ln net.Listener) error {
	return s.serve(s.http, &listener{ln, s, s.limits.MaxConns, &s.clientLinks, &s.clientRefused})
}

// ServeOps serves the ops port, likewise.
func (s *Server) ServeOps(ln net.Listener) error {
	return s.serve(s.ops, &listener{ln, s, MaxOpsConns, &s.opsLinks, &s.opsRefused})
}

func (s *Server) serve(server *fasthttp.Server, ln net.Listener) error {
	s.mu.Lock()
	stopped := s.stopping()
	s.listeners = append(s.listeners, ln)
	s.mu.Unlock()
	if stopped {
		return ln.Close()
	}
	if err := server.Serve(ln); err != nil && !s.stopping() {
		return fmt.Errorf("serve %v: %w", ln.Addr(), err)
	}
	return nil
}

// guarded keeps a panic within its own request, and counts how it ended.
func (s *Server) guarded(handler fasthttp.RequestHandler, counts *requestCounts) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		defer func() {
			if fault := recover(); fault != nil {
				s.logPanic(fault)
				ctx.Response.Reset()
				plainError(ctx, fasthttp.StatusInternalServerError, "internal error; see this member's log")
				ctx.SetConnectionClose()
			}
			counts.count(ctx)
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
		s.drainAfter(ctx)
		setCORS(&ctx.Response.Header)
		ctx.SetStatusCode(fasthttp.StatusRequestEntityTooLarge)
		ctx.Response.Header.SetContentType(typeJSON)
		setUint(&ctx.Response.Header, headerEtcdIndex, 0)
		ctx.Response.SetBody(appendRefusal(nil, refuse(codeInvalidForm, fmt.Sprintf("the body is longer than %d bytes", MaxBodyBytes))))
	case errors.As(err, &tooLong):
		s.drainAfter(ctx)
		plainError(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge,
			fmt.Sprintf("431 request line and headers are longer than %d bytes; shorten them", MaxHeadBytes))
	case errors.Is(err, fasthttp.ErrTimeout) || errors.As(err, &slow) && slow.Timeout():
		plainError(ctx, fasthttp.StatusRequestTimeout,
			fmt.Sprintf("408 request not complete in time: %v for its head, %v more for a long body", s.limits.HeadTimeout, s.limits.BodyTimeout))
	default:
		unreadable(ctx)
	}
}

// drainAfter has the rest of a request read before its connection is closed.
func (s *Server) drainAfter(ctx *fasthttp.RequestCtx) {
	if c, ok := ctx.Conn().(*session); ok {
		c.refused.Store(true)
	}
}
