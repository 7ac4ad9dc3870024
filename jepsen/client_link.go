package jepsen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// link is a client's connection to one endpoint.
type link struct {
	endpoint string
	conn     net.Conn
	reader   *bufio.Reader
	// What happened during the present operation: its time was up, the server
	// hung up.
	expired, ended bool
}

// Read notes what the HTTP library's errors do not always tell.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.expired = true
	}
	if errors.Is(err, io.EOF) {
		l.ended = true
	}
	return n, err
}

// hold bounds what happens on the connection until release, which says whether
// the connection is fit for another operation.
func (l *link) hold(ctx context.Context, until time.Time) (release func() bool) {
	l.expired, l.ended = false, false
	fit := l.conn.SetDeadline(until) == nil
	stop := func() bool { return true }
	if ctx.Done() != nil {
		// A past deadline wakes whoever reads or writes.
		stop = context.AfterFunc(ctx, func() { _ = l.conn.SetDeadline(time.Unix(1, 0)) })
	}
	return func() bool { return stop() && fit && l.conn.SetDeadline(time.Time{}) == nil }
}

// reach gives the connection to the endpoint, a new one if there is none.
func (c *Client) reach(ctx context.Context, until time.Time) (*link, error) {
	for _, l := range c.links {
		if l.endpoint == c.Endpoint {
			return l, nil
		}
	}
	addr, err := hostPort(c.Endpoint)
	if err != nil {
		return nil, err
	}
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	dial := c.Dial
	if dial == nil {
		dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	conn, err := dial(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.Endpoint, err)
	}
	l := &link{endpoint: c.Endpoint, conn: conn}
	l.reader = bufio.NewReader(l)
	c.links = append(c.links, l)
	return l, nil
}

// drop gives a connection up.
func (c *Client) drop(l *link) {
	_ = l.conn.Close() // it is of no use, closed well or not
	c.links = slices.DeleteFunc(c.links, func(other *link) bool { return other == l })
}

// hostPort is where the endpoint listens.
func hostPort(endpoint string) (string, error) {
	addr, ok := strings.CutPrefix(strings.TrimRight(endpoint, "/"), "http://")
	if !ok || addr == "" || strings.Contains(addr, "/") {
		return "", fmt.Errorf("endpoint: %q: no URL of a member; expect http://HOST:PORT", endpoint)
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		addr = net.JoinHostPort(strings.Trim(addr, "[]"), "80")
	}
	return addr, nil
}
