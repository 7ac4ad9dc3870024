package httpd

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"
)

// healthTimeout bounds the read that /health makes, as in etcd.
const healthTimeout = time.Second

func (s *Server) serveVersion(ctx *fasthttp.RequestCtx) {
	if !isMethod(ctx, methodGet) {
		notAllowed(ctx, "GET")
		return
	}
	cluster := "not_decided"
	if view, err := s.replica.Local(); err == nil && view.ClusterVersion != "" {
		cluster = view.ClusterVersion
	}
	body := append([]byte(`{"etcdserver":`), appendString(nil, s.version)...)
	body = append(appendString(append(body, `,"etcdcluster":`...), cluster), '}')
	ctx.Response.Header.SetContentType(typeJSON)
	if s.build != "" {
		ctx.Response.Header.Set("X-Holdfast-Version", s.build)
	}
	ctx.Response.SetBody(body)
}

// serveHealth tells whether this member can serve a linearizable read now.
func (s *Server) serveHealth(ctx *fasthttp.RequestCtx) {
	if !isMethod(ctx, methodGet) {
		notAllowed(ctx, "GET")
		return
	}
	ctx.Response.Header.SetContentType(typeText)
	limited, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	if _, err := s.replica.Linearizable(limited); err != nil {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		ctx.Response.SetBodyString(`{"health":"false"}`)
		return
	}
	ctx.Response.SetBodyString(`{"health":"true"}`)
}
