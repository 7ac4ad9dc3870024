package httpd

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"holdfast/kernel"
)

func benchRequest(method, target, body string) *fasthttp.RequestHeader {
	var h fasthttp.RequestHeader
	h.SetMethod(method)
	h.SetRequestURI(target)
	if body != "" {
		h.SetContentType(formType)
	}
	return &h
}

// A PUT from the bytes of its request to those of its command.
func BenchmarkPutParse(b *testing.B) {
	body := []byte("value=" + strings.Repeat("v", 256))
	h := benchRequest("PUT", "/v2/keys/some/key", string(body))
	var x exchange
	b.ReportAllocs()
	for b.Loop() {
		escaped, query, ok := splitURI(h.RequestURI())
		x.path = appendUnescaped(x.path[:0], escaped, false)
		if !ok || !isClean(x.path) || readParams(&x.params, h, body, query) != nil || x.request.parse(&x.params, keyOf(x.path), false) != nil {
			b.Fatal("not parsed")
		}
		x.request.choosePut()
		if _, refused := x.request.encode(); refused != nil {
			b.Fatal("not encoded")
		}
	}
}

// The answer to a PUT that replaced a key.
func BenchmarkEventEncode(b *testing.B) {
	node := &kernel.Node{Path: "/some/key", Value: strings.Repeat("v", 256), Created: 1 << 20, Modified: 1 << 20}
	event := &kernel.Event{Action: kernel.ActionSet, Index: 1 << 20, Node: node, Prev: node}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = appendEvent(out[:0], event, false)
	}
	b.SetBytes(int64(len(out)))
}

// A GET from the bytes of its request to those of its answer.
func BenchmarkGet(b *testing.B) {
	f := newFixture(b, Limits{})
	f.put("/some/key", strings.Repeat("v", 256))
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetHost("h")
	ctx.Request.SetRequestURI("/v2/keys/some/key")
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		f.server.handle(&ctx)
	}
	if ctx.Response.StatusCode() != 200 {
		b.Fatal(ctx.Response.String())
	}
}
