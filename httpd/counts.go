package httpd

import (
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"holdfast/kernel/replica"
)

// Methods are the methods that requests are counted by; the last stands for all
// others, and for requests that could not be read.
var Methods = [...]string{"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "other"}

// Classes are the classes of status that requests are counted by: the hundreds.
var Classes = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

// RequestCounts counts answers, by index into Methods and Classes.
type RequestCounts [len(Methods)][len(Classes)]uint64

// PortStats is what one port counts.
type PortStats struct {
	// Requests counts the answers since the start. A watch counts when its
	// head is sent.
	Requests RequestCounts
	// Conns are open, of at most ConnsLimit; ConnsRefused counts those beyond.
	Conns, ConnsLimit int
	ConnsRefused      uint64
}

// Stats is what a server counts, at one moment.
type Stats struct {
	Client, Ops PortStats
	// LongPolls and Streams are the watches that wait for an event.
	LongPolls, Streams int
	// ReadsSuccess and ReadsFail count reads of keys.
	ReadsSuccess, ReadsFail uint64
	// Snapshots are the archives that are being sent.
	Snapshots replica.Gauge
}

// Stats gives the figures as they stand.
func (s *Server) Stats() Stats {
	out := Stats{
		Client:       PortStats{Requests: s.requests.read(), ConnsLimit: s.limits.MaxConns},
		Ops:          PortStats{Requests: s.opsRequests.read(), ConnsLimit: MaxOpsConns},
		ReadsSuccess: s.getsSuccess.Load(), ReadsFail: s.getsFail.Load(),
		Snapshots: s.snapshots.load(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Client.Conns, out.Client.ConnsRefused = s.clientLinks, s.clientRefused
	out.Ops.Conns, out.Ops.ConnsRefused = s.opsLinks, s.opsRefused
	out.LongPolls, out.Streams = int(s.longPolls.Load()), int(s.streams.Load())
	return out
}

// requestCounts is the state behind RequestCounts.
type requestCounts [len(Methods)][len(Classes)]atomic.Uint64

// count counts an answer, in one addition.
func (c *requestCounts) count(ctx *fasthttp.RequestCtx) {
	c[methodNumber(ctx.Method())][classNumber(ctx.Response.StatusCode())].Add(1)
}

// watch counts a watch that began without fasthttp.
func (c *requestCounts) watch() { c[0][classNumber(fasthttp.StatusOK)].Add(1) }

// unread counts the answer to what was no request.
func (c *requestCounts) unread(status int) { c[len(Methods)-1][classNumber(status)].Add(1) }

func (c *requestCounts) read() (out RequestCounts) {
	for m := range c {
		for k := range c[m] {
			out[m][k] = c[m][k].Load()
		}
	}
	return out
}

func classNumber(status int) int { return min(max(status/100, 1), len(Classes)) - 1 }

func methodNumber(method []byte) int {
	switch string(method) {
	case "GET":
		return 0
	case "HEAD":
		return 1
	case "PUT":
		return 2
	case "POST":
		return 3
	case "DELETE":
		return 4
	case "OPTIONS":
		return 5
	}
	return len(Methods) - 1
}
