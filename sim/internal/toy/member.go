//go:build wasip1

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast/sim/client"
	"holdfast/sim/internal/note"
	"holdfast/transport"

	"github.com/valyala/fasthttp"
)

// clients is the production guest's client.
func clients(args []string) error {
	cfg, err := client.ParseArgs(args)
	if err != nil {
		return err
	}
	return client.Run(transport.Sim(), cfg, note.Writer(note.History))
}

// toyMember is a store for the tests of verdicts: all data is in one file of the first member, the others forward. Its
// mode is how it fails, if it does:
//
//	good       it does not
//	split      every member keeps data of its own
//	forgetful  the first member forgets at a restart
//	stuck      nobody answers any more after some time
//	crash      the first member ends by itself after some time
type toyMember struct {
	mode  string
	home  string // where to forward to; empty: here
	start time.Time
	http  fasthttp.Client

	mu   sync.Mutex
	Keys map[string]toyKey
	Last uint64 // index of the last change
}

type toyKey struct {
	Value string
	Index uint64
}

const toyFile = "/store"

// member runs one. Arguments: name, ip, initial cluster, knobs (passed over), mode.
func member(args []string) error {
	name, ip, mode := args[0], args[1], args[4]
	m := &toyMember{mode: mode, start: time.Now(), Keys: map[string]toyKey{}}
	m.http.MaxIdemponentCallAttempts = 1 // a write that is sent twice is written twice
	m.http.Dial = func(addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		return transport.Sim().Dial(ctx, addr)
	}
	first, _, _ := strings.Cut(args[2], ",")
	firstName, url, _ := strings.Cut(first, "=")
	if name == firstName {
		note.Send(note.Role, "leader 1")
	} else if mode != "split" {
		host, _, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
		if err != nil {
			return err
		}
		m.home = host + ":2379"
	}
	if mode != "forgetful" {
		if err := m.load(); err != nil {
			return err
		}
	}
	if mode == "crash" && m.home == "" {
		time.AfterFunc(3*time.Second, func() { os.Exit(1) })
	}
	l, err := transport.Sim().Listen(ip + ":2379")
	if err != nil {
		return err
	}
	return fasthttp.Serve(l, m.serve)
}

func (m *toyMember) load() error {
	b, err := os.ReadFile(toyFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(b, m)
}

func (m *toyMember) save() error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.Create(toyFile + ".tmp")
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(toyFile+".tmp", toyFile)); err != nil {
		return err
	}
	d, err := os.Open("/")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (m *toyMember) serve(ctx *fasthttp.RequestCtx) {
	if m.mode == "stuck" && time.Since(m.start) > 4*time.Second {
		time.Sleep(time.Hour)
	}
	if m.home != "" {
		req := fasthttp.AcquireRequest()
		ctx.Request.CopyTo(req)
		req.SetHost(m.home)
		if err := m.http.DoTimeout(req, &ctx.Response, 500*time.Millisecond); err != nil {
			ctx.Error(fmt.Sprintf(`{"errorCode":300,"cause":%q}`, err), 500)
		}
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	status, answer := m.apply(ctx)
	ctx.Response.Header.Set("X-Etcd-Index", strconv.FormatUint(uint64(m.Last), 10))
	ctx.SetStatusCode(status)
	if err := json.NewEncoder(ctx).Encode(answer); err != nil {
		panic(err)
	}
}

// apply does one request, under mu.
func (m *toyMember) apply(ctx *fasthttp.RequestCtx) (int, any) {
	key := string(ctx.Path())
	old, exists := m.Keys[key]
	node := func(k toyKey) map[string]any { return map[string]any{"value": k.Value, "modifiedIndex": k.Index} }
	if string(ctx.QueryArgs().Peek("wait")) == "true" { // every watch sees the last change at once
		return 200, map[string]any{"action": "set", "node": map[string]any{"key": "/", "modifiedIndex": m.Last}}
	}
	if string(ctx.Method()) != "PUT" && !exists {
		return 404, map[string]any{"errorCode": 100}
	}
	switch string(ctx.Method()) {
	case "GET":
		return 200, map[string]any{"node": node(old)}
	case "DELETE":
		m.Last++
		delete(m.Keys, key)
		if err := m.save(); err != nil {
			panic(err)
		}
		return 200, map[string]any{"node": node(toyKey{Index: m.Last}), "prevNode": node(old)}
	}
	args := ctx.PostArgs()
	if prev := string(args.Peek("prevValue")); prev != "" {
		if !exists {
			return 404, map[string]any{"errorCode": 100}
		}
		if prev != old.Value {
			return 412, map[string]any{"errorCode": 101, "cause": fmt.Sprintf("[%s != %s]", prev, old.Value)}
		}
	}
	m.Last++
	next := toyKey{Value: string(args.Peek("value")), Index: m.Last}
	m.Keys[key] = next
	if err := m.save(); err != nil {
		panic(err)
	}
	return 200, map[string]any{"node": node(next)}
}
