//go:build unix

package hostile

import (
	"bufio"
	"context"
	"io"
	"strings"
	"time"
)

const tooSlow = "408 408 request not complete in time: 10s for its head, 30s more for a long body"

func slowRows() []Row {
	return []Row{
		{
			Name: "slow heads", Count: 1000, Want: map[string]int{tooSlow: 1000},
			Did: "%d connections send a request's head, a byte every half second",
			Attack: func(ctx context.Context, s *stage) error {
				return s.drip(ctx, func(int) string { return "" }, "GET /v2/keys/slow HTTP/1.1\r\nX-Slow: "+strings.Repeat("s", 1000))
			},
		},
		{
			Name: "slow bodies", Count: 300, Want: map[string]int{tooSlow: 300},
			Did: "%d connections send a body, a byte every half second: a third of them a short one, a third 100,000 bytes, a third chunks",
			Attack: func(ctx context.Context, s *stage) error {
				heads := []string{"Content-Length: 1000", "Content-Length: 100000", "Transfer-Encoding: chunked"}
				return s.drip(ctx, func(i int) string {
					return "PUT /v2/keys/slow HTTP/1.1\r\nHost: h\r\n" + heads[i%len(heads)] + "\r\n\r\n"
				}, strings.Repeat("1\r\na\r\n", 200))
			},
		},
	}
}

// dripEvery is the pause between two bytes.
const dripEvery = 500 * time.Millisecond

// drip sends a beginning at once and then text byte by byte on every connection,
// until the answer comes.
func (s *stage) drip(ctx context.Context, beginning func(i int) string, text string) error {
	return each(ctx, s.count, s.count, func(i int) error {
		c, err := s.dial(s.target.Client)
		if err != nil {
			return err
		}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			s.answers.add(readAnswer(bufio.NewReader(c)))
		}()
		_, err = io.WriteString(c, beginning(i))
		for n := 0; err == nil && n < len(text); n++ {
			select {
			case <-answered:
				return nil
			case <-ctx.Done():
				_ = c.Close()
			case <-time.After(dripEvery):
				_, _ = io.WriteString(c, text[n:n+1]) // after the answer it fails
			}
		}
		<-answered
		return err
	})
}
