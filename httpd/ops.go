package httpd

import (
	"fmt"
	"strconv"

	"github.com/valyala/fasthttp"

	"holdfast/kernel"
)

// HandleMetrics sets what serves /metrics on the ops port (package
// httpd/metrics); without, there is no such page. To be called before ServeOps.
func (s *Server) HandleMetrics(handler fasthttp.RequestHandler) { s.metrics = handler }

// OpsHandler serves the ops port: /healthz, /readyz, /metrics and /debug/kernel.
func (s *Server) OpsHandler(ctx *fasthttp.RequestCtx) {
	if !isMethod(ctx, methodGet) && !isMethod(ctx, methodHead) {
		notAllowed(ctx, "GET,HEAD")
		return
	}
	switch string(ctx.Path()) {
	case "/healthz":
		s.serveHealthz(ctx)
	case "/readyz":
		s.serveReadyz(ctx)
	case "/metrics":
		if s.metrics == nil {
			notFound(ctx)
			return
		}
		s.metrics(ctx)
	case "/debug/kernel":
		s.serveKernel(ctx)
	default:
		notFound(ctx)
	}
}

// serveHealthz: the process lives and its member has not begun to stop.
func (s *Server) serveHealthz(ctx *fasthttp.RequestCtx) {
	select {
	case <-s.replica.Done():
		plainError(ctx, fasthttp.StatusServiceUnavailable, "stopping")
	default:
		ctx.Response.Header.SetContentType(typeText)
		ctx.Response.SetBodyString("ok\n")
	}
}

// serveReadyz: reads and writes are served.
func (s *Server) serveReadyz(ctx *fasthttp.RequestCtx) {
	status := s.replica.Status()
	switch {
	case !status.Ready:
		plainError(ctx, fasthttp.StatusServiceUnavailable, "not ready: this member has not caught up since it started")
	case status.LeaderID == 0:
		plainError(ctx, fasthttp.StatusServiceUnavailable, "not ready: no leader is known")
	default:
		ctx.Response.Header.SetContentType(typeText)
		ctx.Response.SetBodyString("ok\n")
	}
}

// serveKernel gives the digests of the state at a log index, or, without one,
// of the present state. Equal indices have equal history hashes on all
// members.
func (s *Server) serveKernel(ctx *fasthttp.RequestCtx) {
	applied := s.replica.Status().Applied
	if !ctx.QueryArgs().Has("index") {
		s.sendPresentHashes(ctx, applied)
		return
	}
	text := string(ctx.QueryArgs().Peek("index"))
	index, err := strconv.ParseUint(text, 10, 64)
	if err != nil || index == 0 {
		sendMessage(ctx, fasthttp.StatusBadRequest, fmt.Sprintf("index: %q is no log index; give a number from 1 up", text))
		return
	}
	hashes, ok := s.replica.HashesAt(kernel.LogIndex(index))
	if !ok {
		sendMessage(ctx, fasthttp.StatusNotFound, fmt.Sprintf(
			"index %d: its hash is not kept; this member has applied %d, carries no commands at some indices, and keeps the hashes of the last 4096", index, applied))
		return
	}
	ctx.Response.Header.SetContentType(typeJSON)
	ctx.Response.SetBodyString(fmt.Sprintf(`{"index":%d,"history_hash":"%016x","applied":%d}`+"\n", hashes.Index, hashes.History, applied))
}

func (s *Server) sendPresentHashes(ctx *fasthttp.RequestCtx, applied kernel.LogIndex) {
	state, at := s.replica.StateHash()
	hashes, ok := s.replica.HashesAt(at)
	if !ok {
		sendMessage(ctx, fasthttp.StatusNotFound, fmt.Sprintf("index %d: its hash is not kept any more; ask again", at))
		return
	}
	ctx.Response.Header.SetContentType(typeJSON)
	ctx.Response.SetBodyString(fmt.Sprintf(`{"index":%d,"history_hash":"%016x","state_hash":%q,"applied":%d}`+"\n",
		hashes.Index, hashes.History, state, max(applied, at)))
}
