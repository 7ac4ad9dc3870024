//go:build unix

package hostile

import (
	"context"
	"io"
	"net"
	"strings"
	"time"
)

// What may come to the wrong port.
var garbage = []string{
	get("/v2/keys/"),
	clientHello(),
	strings.Repeat("\x00", 1<<20),
	strings.Repeat("\xff", 1<<20),
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"HFST\x09\x01\x00\x00",                              // a protocol that is none
	"HFST\x01\x02\x00\x00",                              // another version
	"HFST\x01\x01\x00\x00" + strings.Repeat("x", 1<<20), // raft's, then garbage
	"HFST\x02\x01\x00\x00" + strings.Repeat("x", 1<<20), // forwarding's
	"HFST\x02\x01\x00\x00" + strings.Repeat("\xff", 13),
	"HFST\x03\x01\x00\x00" + strings.Repeat("x", 1<<20), // joining's
}

func portRows() []Row {
	return []Row{
		{
			Name: "peer port: garbage", Count: 20, Want: map[string]int{closed: 20 * len(garbage)},
			Did: "each of %d times: HTTP, TLS, zeros, ones, wrong and right preambles with garbage behind them",
			Attack: func(ctx context.Context, s *stage) error {
				return each(ctx, s.count*len(garbage), openBeside, func(i int) error {
					return s.throw(garbage[i%len(garbage)])
				})
			},
		},
		{
			Name: "peer port: silence", Count: 1000, Want: map[string]int{closed: 1000},
			Did: "%d connections say nothing",
			Attack: func(ctx context.Context, s *stage) error {
				return each(ctx, s.count, s.count, func(int) error { return s.throw("") })
			},
		},
		{
			Name: "peer port: claims", Count: 2 * 400, Attack: claim,
			// Of each protocol as many as its limit on connections.
			Want: map[string]int{held: 128 + 256, closed: 2*400 - 128 - 256},
			Did:  "%d connections, half of them with raft's preamble and the head of a request of 32 MiB, half with forwarding's and 2 MiB, send no more",
		},
		{
			Name: "ops port: garbage", Count: 20,
			Want: map[string]int{headTooLong: 5 * 20, tooSlow: 3 * 20, bad: 2 * 20, "404 404 page not found": 20},
			Did:  "each of %d times: HTTP for the other port, TLS, zeros, ones, the peer port's preambles",
			Attack: func(ctx context.Context, s *stage) error {
				return each(ctx, s.count*len(garbage), beside, func(i int) error {
					c, err := s.dial(s.target.Ops)
					if err != nil {
						return err
					}
					s.answers.add(converse(c, strings.NewReader(garbage[i%len(garbage)])))
					return nil
				})
			},
		},
		{
			Name: "ops port: silence", Count: 200, Want: map[string]int{held: 63, refused: 137},
			Did:    "%d connections say nothing, more than the limit of 64, of which the measurement has one",
			Attack: func(ctx context.Context, s *stage) error { return connectOnly(ctx, s, s.target.Ops) },
		},
	}
}

// throw sends something to the peer port and sees the connection closed.
func (s *stage) throw(text string) error {
	c, err := s.dial(s.target.Peer)
	if err != nil {
		return err
	}
	go func() { _, _ = io.WriteString(c, text) }()
	s.answers.add(readEnd(c))
	return c.Close()
}

const closed = "closed"

// readEnd reads until the connection ends. The peer port has nothing to say to
// strangers, whatever they say.
func readEnd(c net.Conn) string {
	n, err := io.Copy(io.Discard, c)
	switch {
	case n > 0:
		return "an answer"
	case err == nil:
		return closed
	}
	switch answer := noAnswer(err); answer {
	case wasReset:
		return closed
	case notInTime:
		return held
	default:
		return answer
	}
}

// claim opens connections that promise a large request and do not send it.
func claim(ctx context.Context, s *stage) error {
	beginnings := []string{
		// An append of 32 MiB.
		"HFST\x01\x01\x00\x00" + "\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00",
		// A proposal of 2 MiB.
		"HFST\x02\x01\x00\x00" + "\x00\x20\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01",
	}
	// One at a time: of many that have not yet said what they are for, the oldest
	// give way.
	if err := each(ctx, s.count, 1, func(i int) error {
		wait(ctx, time.Millisecond)
		c, err := s.dial(s.target.Peer)
		if err != nil {
			return err
		}
		_, err = io.WriteString(c, beginnings[i%len(beginnings)])
		return err
	}); err != nil {
		return err
	}
	return s.look(ctx, readEnd)
}
