package httpd

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/valyala/fasthttp"

	"holdfast/kernel"
	"holdfast/kernel/replica"
)

// exchange is what one request needs, kept for the next.
type exchange struct {
	params  params
	request keysRequest
	path    []byte // unescaped
	out     []byte
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func (x *exchange) release() {
	x.request = keysRequest{}
	x.params.reset(0)
	if cap(x.out) > maxPooled {
		x.out = nil
	}
	if cap(x.params.decoded) > maxPooled {
		x.params.decoded = nil
	}
	exchanges.Put(x)
}

const keysMethods = "HEAD,GET,PUT,POST,DELETE"

// serveKeys serves /v2/keys. The path is clean.
func (s *Server) serveKeys(ctx *fasthttp.RequestCtx, x *exchange, query []byte) {
	method := ctx.Method()
	isGet := string(method) == "GET"
	reads := isGet || string(method) == "HEAD"
	switch string(method) {
	case "GET", "HEAD", "PUT", "POST", "DELETE":
	default:
		notAllowed(ctx, keysMethods)
		return
	}
	ctx.Response.Header.SetCanonical(headerClusterID, s.clusterID)
	refused := readParams(&x.params, &ctx.Request.Header, ctx.Request.Body(), query)
	if refused == nil {
		refused = x.request.parse(&x.params, keyOf(x.path), isGet)
	}
	if refused != nil {
		s.sendRefusal(ctx, x, refused)
		return
	}
	switch {
	case isGet && x.request.watches():
		s.watch(ctx, x)
	case reads:
		s.read(ctx, x)
	default:
		s.write(ctx, x, method)
	}
}

func (s *Server) write(ctx *fasthttp.RequestCtx, x *exchange, method []byte) {
	q := &x.request
	switch string(method) {
	case "PUT":
		q.choosePut()
	case "POST":
		q.choosePost()
	default:
		q.chooseDelete()
	}
	wire, refused := q.encode()
	if refused != nil {
		s.sendRefusal(ctx, x, refused)
		if refused.Code == kernel.CodeInvalidField {
			ctx.SetStatusCode(fasthttp.StatusRequestEntityTooLarge)
		}
		return
	}
	answer, err := s.replica.Propose(context.Background(), wire)
	switch {
	case err != nil:
		s.sendRefusal(ctx, x, refusalOf(err))
	case answer.Err != nil:
		s.sendRefusal(ctx, x, answer.Err)
	default:
		s.sendEvent(ctx, x, &answer)
	}
}

func (s *Server) sendEvent(ctx *fasthttp.RequestCtx, x *exchange, a *replica.Answer) {
	e := a.Event
	if e.Action == kernel.ActionCreate || e.Action == kernel.ActionSet && e.Prev == nil {
		ctx.SetStatusCode(fasthttp.StatusCreated)
	}
	bare := x.request.noValueOnSuccess
	switch e.Action {
	case kernel.ActionSet, kernel.ActionCreate, kernel.ActionUpdate, kernel.ActionCompareAndSwap:
	default:
		bare = false
	}
	setIndices(&ctx.Response.Header, e.Index, a.LogIndex, a.Term)
	if x.out = x.out[:0]; !bare {
		x.out = slices.Grow(x.out, eventBytes(e))
	}
	x.out = appendEvent(x.out, e, bare)
	x.send(ctx)
}

func setIndices(h *fasthttp.ResponseHeader, index kernel.StoreIndex, log kernel.LogIndex, term uint64) {
	h.SetContentType(typeJSON)
	setUint(h, headerEtcdIndex, uint64(index))
	setUint(h, headerRaftIndex, uint64(log))
	setUint(h, headerRaftTerm, term)
}

func (s *Server) sendRefusal(ctx *fasthttp.RequestCtx, x *exchange, e *kernel.Error) {
	ctx.SetStatusCode(statusOf(e.Code))
	ctx.Response.Header.SetContentType(typeJSON)
	setUint(&ctx.Response.Header, headerEtcdIndex, uint64(e.Index))
	x.out = appendRefusal(x.out[:0], e)
	x.send(ctx)
}

// read answers GET and HEAD.
func (s *Server) read(ctx *fasthttp.RequestCtx, x *exchange) {
	var view replica.View
	var err error
	if x.request.quorum {
		view, err = s.replica.Linearizable(context.Background())
	} else {
		view, err = s.replica.Local()
	}
	if err != nil {
		s.getsFail.Add(1)
		s.sendRefusal(ctx, x, refusalOf(err))
		return
	}
	node, refused := view.Get(x.request.command.Path)
	if refused != nil {
		s.getsFail.Add(1)
		s.sendRefusal(ctx, x, refused)
		return
	}
	s.getsSuccess.Add(1)
	setIndices(&ctx.Response.Header, view.Index, view.Applied, view.Term)
	w := lister{view: view.View, recursive: x.request.recursive, out: x.out[:0]}
	limit := maxBuffered
	if !node.Dir {
		// A key comes in one piece anyway: to give up over the limit would only
		// encode it twice.
		limit = math.MaxInt
		w.out = slices.Grow(w.out, nodeBytes+len(node.Path)+len(node.Value))
	}
	if w.list(node, limit); w.over {
		x.out = w.out[:0]
		s.sendLong(ctx, node, view.View, x.request.recursive)
		return
	}
	x.out = w.out
	x.send(ctx)
}

// send answers with x.out: with a length as long as etcd does, else chunked.
func (x *exchange) send(ctx *fasthttp.RequestCtx) {
	if len(x.out) <= lengthBytes || !ctx.Request.Header.IsHTTP11() {
		ctx.Response.SetBody(x.out)
		return
	}
	body := &chunkedBody{content: x.out}
	x.out = nil // the answer is written after the handler's return
	ctx.Response.SetBodyStream(body, -1)
}
