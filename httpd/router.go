package httpd

import (
	"bytes"
	"html"

	"github.com/valyala/fasthttp"
)

// handle serves one request of a client.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	uri := ctx.Request.Header.RequestURI()
	if len(uri) > MaxURIBytes {
		plainError(ctx, fasthttp.StatusRequestURITooLong, "414 URI too long; shorten the key or the query")
		ctx.SetConnectionClose()
		return
	}
	if string(uri) == "*" {
		return // fasthttp lets only OPTIONS ask this, which etcd answers below its handlers
	}
	escaped, query, ok := splitURI(uri)
	if !ok {
		unreadable(ctx)
		return
	}
	setCORS(&ctx.Response.Header)
	if isMethod(ctx, methodOptions) {
		return // etcd answers 200 to every path
	}
	x := exchanges.Get().(*exchange)
	defer x.release()
	x.path = appendUnescaped(x.path[:0], escaped, false)
	if !isClean(x.path) && !isMethod(ctx, methodConnect) {
		redirect(ctx, location(cleanPath(string(x.path)), query))
		return
	}
	s.route(ctx, x, query)
}

func (s *Server) route(ctx *fasthttp.RequestCtx, x *exchange, query []byte) {
	if under(x.path, keysPrefix) {
		s.serveKeys(ctx, x, query)
		return
	}
	if under(x.path, membersPrefix) {
		s.serveMembers(ctx, x)
		return
	}
	switch string(x.path) {
	case "/v2/machines":
		s.serveMachines(ctx)
	case "/v2/stats/store":
		s.serveStats(ctx, s.storeStats)
	case "/v2/stats/self":
		s.serveStats(ctx, s.selfStats)
	case "/v2/stats/leader":
		s.serveStats(ctx, s.leaderStats)
	case "/v1/snapshot":
		s.serveSnapshot(ctx)
	case "/version":
		s.serveVersion(ctx)
	case "/health":
		s.serveHealth(ctx)
	default:
		notFound(ctx)
	}
}

// under tells whether path is prefix or something below it.
func under(path []byte, prefix string) bool {
	return bytes.HasPrefix(path, []byte(prefix)) && (len(path) == len(prefix) || path[len(prefix)] == '/')
}

// redirect answers as net/http's Redirect does.
func redirect(ctx *fasthttp.RequestCtx, to string) {
	ctx.SetStatusCode(fasthttp.StatusMovedPermanently)
	ctx.Response.Header.Set("Location", to)
	if get := isMethod(ctx, methodGet); get || isMethod(ctx, methodHead) {
		ctx.Response.Header.SetContentType(typeHTML)
		if get {
			ctx.Response.SetBodyString(`<a href="` + html.EscapeString(to) + `">Moved Permanently</a>.` + "\n\n")
		}
	}
}

var (
	methodGet     = []byte("GET")
	methodHead    = []byte("HEAD")
	methodConnect = []byte("CONNECT")
	methodOptions = []byte("OPTIONS")
)

func isMethod(ctx *fasthttp.RequestCtx, method []byte) bool { return bytes.Equal(ctx.Method(), method) }
