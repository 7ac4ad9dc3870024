//go:build unix

package hostile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// answerTime is how long an attacker waits for an answer: longer than any limit
// of the daemon on a request.
const answerTime = 50 * time.Second

// stage is what an attack has: the daemon, connections, and a tally.
type stage struct {
	target  Target
	count   int
	answers tally

	mu    sync.Mutex
	conns []net.Conn
}

func newStage(t Target, count int) *stage { return &stage{target: t, count: count} }

// tally counts answers.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *tally) add(answer string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[answer]++
}

// dial opens a connection that lasts until the attack has ended.
func (s *stage) dial(addr string) (*net.TCPConn, error) {
	c, err := net.DialTimeout("tcp", addr, answerTime)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	return c.(*net.TCPConn), nil
}

// hangUp closes all connections without a word.
func (s *stage) hangUp() { s.closeAll(func(*net.TCPConn) error { return nil }) }

// reset ends all connections with a reset.
func (s *stage) reset() error {
	return s.closeAll(func(c *net.TCPConn) error { return c.SetLinger(0) })
}

func (s *stage) closeAll(first func(*net.TCPConn) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if failed := first(c.(*net.TCPConn)); failed != nil && !errors.Is(failed, net.ErrClosed) {
			err = failed
		}
		_ = c.Close() // what it sent may have been refused
	}
	s.conns = nil
	return err
}

// openBeside bounds what goes on at the same time where it need not.
const openBeside = 64

// each does something n times, with bounded company, and gives the first error.
func each(ctx context.Context, n, beside int, do func(i int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	next := 0
	for range min(n, beside) {
		wg.Go(func() {
			for {
				mu.Lock()
				i, stop := next, first != nil || next >= n || ctx.Err() != nil
				next++
				mu.Unlock()
				if stop {
					return
				}
				if err := do(i); err != nil {
					mu.Lock()
					first = errors.Join(first, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(first, ctx.Err())
}

// ask sends a request on a connection of its own and counts the answer.
func (s *stage) ask(request io.Reader) error {
	c, err := s.dial(s.target.Client)
	if err != nil {
		return err
	}
	defer c.Close()
	s.answers.add(converse(c, request))
	return nil
}

// converse sends a request, and reads the answer meanwhile: it may come before
// the request's end.
func converse(c net.Conn, request io.Reader) string {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.Copy(c, request) // an error is the refusal, whose words are read
	}()
	answer := readAnswer(bufio.NewReader(c))
	_ = c.Close()
	<-sent
	return answer
}

// Answers that are none.
const (
	silently  = "closed without a word"
	wasReset  = "reset"
	notInTime = "no answer"
)

// readAnswer reads one answer and gives its status and its words.
func readAnswer(from *bufio.Reader) string {
	for {
		resp, err := http.ReadResponse(from, nil)
		if err != nil {
			return noAnswer(err)
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return fmt.Sprintf("%d, cut off: %v", resp.StatusCode, noAnswer(err))
		}
		if resp.Header.Get(injected) != "" {
			return fmt.Sprintf("%d, with a header of the client's making", resp.StatusCode)
		}
		return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, words(body)))
	}
}

func noAnswer(err error) string {
	var slow net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return silently
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return wasReset
	case errors.As(err, &slow) && slow.Timeout():
		return notInTime
	}
	return err.Error()
}

// injected is the header that attacks by splitting try to put into answers.
const injected = "Injected"

// maxWords bounds what of an answer's text is counted by.
const maxWords = 120

// words are what an answer says of a refusal: the API's, or the text; nothing for
// an answer with a node in it, or a redirect.
func words(body []byte) string {
	var refusal struct {
		ErrorCode int
		Message   string
		Cause     string
		Node      json.RawMessage
	}
	if err := json.Unmarshal(body, &refusal); err == nil {
		if refusal.Node != nil {
			return ""
		}
		if refusal.ErrorCode < 200 { // the cause is the client's own key
			return fmt.Sprintf("%d %s", refusal.ErrorCode, refusal.Message)
		}
		return shorten(fmt.Sprintf("%d %s: %s", refusal.ErrorCode, refusal.Message, refusal.Cause))
	}
	if bytes.HasPrefix(body, []byte("<a ")) {
		return "" // a redirect
	}
	text, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return shorten(text)
}

func shorten(text string) string {
	if len(text) > maxWords {
		return text[:maxWords] + "…"
	}
	return text
}
