package jepsen_test

import (
	"context"
	"net"
	"testing"
	"time"

	"holdfast/jepsen"
)

// canned is a connection to a server that gives the same answer at once.
type canned struct {
	net.Conn
	answer, left string
}

func (c *canned) Read(p []byte) (int, error) {
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *canned) Write(p []byte) (int, error) {
	c.left = c.answer
	return len(p), nil
}

func (c *canned) SetDeadline(time.Time) error { return nil }
func (c *canned) Close() error                { return nil }

// BenchmarkClient is the client's own part in an operation, without network
// and server: the simulator pays it, in WebAssembly, for every operation.
func BenchmarkClient(b *testing.B) {
	now := int64(0)
	c := &jepsen.Client{Endpoint: "http://10.0.0.1:2379", Timeout: time.Second, Now: func() int64 { now++; return now },
		Dial: func(context.Context, string) (net.Conn, error) {
			return &canned{answer: "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 83\r\n" +
				"Access-Control-Allow-Headers: accept, content-type, authorization\r\nAccess-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n" +
				"Access-Control-Allow-Origin: *\r\nX-Etcd-Cluster-Id: 7e27652122e8b2ae\r\nX-Etcd-Index: 9\r\nX-Raft-Index: 30\r\nX-Raft-Term: 2\r\n\r\n" + found}, nil
		}}
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if o := c.Do(context.Background(), jepsen.Operation{Op: jepsen.Write, Key: "/register/1", Arg: "p1-1"}); o.Outcome != jepsen.OK {
			b.Fatal(o.Error)
		}
	}
}
