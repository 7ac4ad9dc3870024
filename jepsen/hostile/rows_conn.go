//go:build unix

package hostile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	maxConns  = 16_384 // of the daemon: httpd.DefaultMaxConns
	manyConns = maxConns + 200
	refused   = "503 too many connections; try again later"
	held      = "held, says nothing"
)

func connectionRows() []Row {
	return []Row{
		{
			Name: "silent connections", Count: manyConns, Alone: true,
			Attack: func(ctx context.Context, s *stage) error { return connectOnly(ctx, s, s.target.Client) },
			// The well-behaved client has one.
			Want: map[string]int{held: maxConns - 1, refused: manyConns - maxConns + 1},
			Did:  "%d connections that never say a word, more than the daemon's limit of 16,384",
		},
		{
			Name: "pipelined requests, answers read", Count: 20, Want: map[string]int{"5000 answers in order": 20},
			Did: "%d connections send 5,000 reads of one key each in one write, then read the answers",
			Attack: func(ctx context.Context, s *stage) error {
				return each(ctx, s.count, s.count, func(int) error { return s.pipeline(true) })
			},
		},
		{
			Name: "pipelined requests, answers not read", Count: 200, Want: map[string]int{"not read": 200},
			Did: "%d connections send 5,000 reads of a key of 10,000 bytes each, and read nothing",
			Attack: func(ctx context.Context, s *stage) error {
				if err := each(ctx, s.count, s.count, func(int) error { return s.pipeline(false) }); err != nil {
					return err
				}
				wait(ctx, 3*holdTime)
				return nil
			},
			Prepare: func(_ context.Context, s *stage) error {
				c, err := s.dial(s.target.Client)
				if err != nil {
					return err
				}
				if answer := converse(c, strings.NewReader(put(pipelinedKey, "value="+strings.Repeat("v", 10_000)))); answer != "201" {
					return fmt.Errorf("write: %s", answer)
				}
				return nil
			},
		},
		{
			Name: "half-closed connections", Count: 1000, Want: map[string]int{"201": 1000},
			Did: "%d clients send a write and close their side of the connection at once; they must be answered",
			Attack: func(ctx context.Context, s *stage) error {
				return each(ctx, s.count, openBeside, func(i int) error {
					c, err := s.dial(s.target.Client)
					if err != nil {
						return err
					}
					_, err = io.WriteString(c, put(fmt.Sprintf("/v2/keys/half/%d", i), "value=v"))
					if err = errors.Join(err, c.CloseWrite()); err != nil {
						return err
					}
					s.answers.add(readAnswer(bufio.NewReader(c)))
					return nil
				})
			},
		},
	}
}

// connectOnly opens all connections, and tells those that were refused from
// those that are held.
func connectOnly(ctx context.Context, s *stage, addr string) error {
	if err := each(ctx, s.count, openBeside, func(int) error {
		_, err := s.dial(addr)
		return err
	}); err != nil {
		return err
	}
	return s.look(ctx, func(c net.Conn) string {
		answer := readAnswer(bufio.NewReaderSize(c, 512))
		if answer == notInTime {
			return held
		}
		return answer
	})
}

// look counts, after a moment, what the daemon has said on each open connection.
func (s *stage) look(ctx context.Context, read func(net.Conn) string) error {
	wait(ctx, holdTime)
	s.mu.Lock()
	conns := s.conns
	s.mu.Unlock()
	return each(ctx, len(conns), len(conns), func(i int) error {
		if err := conns[i].SetReadDeadline(time.Now().Add(holdTime)); err != nil {
			return err
		}
		s.answers.add(read(conns[i]))
		return nil
	})
}

const (
	pipelinedKey = "/v2/keys/pipelined"
	pipelined    = 5000 // requests on one connection
)

// pipeline sends many requests at once.
func (s *stage) pipeline(read bool) error {
	c, err := s.dial(s.target.Client)
	if err != nil {
		return err
	}
	requests := strings.Repeat("GET "+pipelinedKey+" HTTP/1.1\r\nHost: h\r\n\r\n", pipelined)
	if !read {
		// More than the sockets take: what is left is never sent.
		if err := c.SetWriteDeadline(time.Now().Add(3 * holdTime)); err != nil {
			return err
		}
		_, _ = io.WriteString(c, requests)
		s.answers.add("not read")
		return nil
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, requests)
		sent <- err
	}()
	from := bufio.NewReader(c)
	for i := range pipelined {
		if answer := readAnswer(from); !strings.HasPrefix(answer, "404 100 ") {
			s.answers.add(fmt.Sprintf("answer %d: %s", i, answer))
			return <-sent
		}
	}
	s.answers.add(fmt.Sprintf("%d answers in order", pipelined))
	return <-sent
}
