//go:build unix

package hostile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	manyKeys     = 1_000_000
	keysInDir    = 1_000
	listedBytes  = 100 // of each value
	fillers      = 512 // connections that fill the store
	listings     = 4   // at once
	listingsCut  = 4   // more that are left in the middle
	writersAside = 8   // that write during the listings
)

func listingRows() []Row {
	return []Row{{
		Name: "listing everything", Count: manyKeys, Alone: true, Prepare: fill, Attack: list,
		Did: "the store holds %d keys with 100 bytes each; four clients list all of them recursively, four more begin to and leave, eight write meanwhile",
		Want: map[string]int{fmt.Sprintf("200, %d keys", manyKeys): listings, "200, left in the middle": listingsCut,
			"written beside": writersAside},
	}}
}

// fill writes count keys into directories of a thousand.
func fill(ctx context.Context, s *stage) error {
	return each(ctx, fillers, fillers, func(i int) error {
		w, err := s.writer(ctx)
		if err != nil {
			return err
		}
		for n := i; n < s.count; n += fillers {
			if err := w.write(fmt.Sprintf("/v2/keys/listed/%d/%d?noValueOnSuccess=true", n/keysInDir, n)); err != nil {
				return fmt.Errorf("write key %d: %w", n, err)
			}
		}
		return w.conn.Close()
	})
}

// writer writes one key after the other over one connection.
type writer struct {
	conn io.WriteCloser
	from *bufio.Reader
	body string
	resp fasthttp.Response
}

func (s *stage) writer(ctx context.Context) (*writer, error) {
	c, err := s.dial(s.target.Client)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = c.Close() })
	return &writer{conn: c, from: bufio.NewReader(c), body: "value=" + strings.Repeat("v", listedBytes)},
		c.SetDeadline(time.Now().Add(fillTime))
}

// fillTime bounds all writes of one connection.
const fillTime = 4 * time.Minute

func (w *writer) write(target string) error {
	if _, err := io.WriteString(w.conn, put(target, w.body)); err != nil {
		return err
	}
	if err := w.resp.Read(w.from); err != nil {
		return err
	}
	if status := w.resp.StatusCode(); status != http.StatusCreated && status != http.StatusOK {
		return fmt.Errorf("status %d: %s", status, w.resp.Body())
	}
	return nil
}

// list reads everything, several times at once, beside writers.
func list(ctx context.Context, s *stage) error {
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var beside sync.WaitGroup
	var failed error
	beside.Go(func() {
		failed = each(ctx, writersAside, writersAside, func(i int) error { return s.writeUntil(writing, i) })
	})
	err := each(ctx, listings+listingsCut, listings+listingsCut, func(i int) error {
		if i < listingsCut {
			return s.listSome()
		}
		return s.listAll()
	})
	stop()
	beside.Wait()
	return errors.Join(err, failed)
}

func (s *stage) writeUntil(ctx context.Context, i int) error {
	w, err := s.writer(context.Background())
	if err != nil {
		return err
	}
	for n := 0; ctx.Err() == nil; n++ {
		if err := w.write(fmt.Sprintf("/v2/keys/beside/%d/%d", i, n%100)); err != nil {
			return err
		}
	}
	s.answers.add("written beside")
	return nil
}

const listRequest = "GET /v2/keys/listed?recursive=true HTTP/1.1\r\nHost: h\r\n\r\n"

// startList asks for everything and reads the head of the answer.
func (s *stage) startList() (*http.Response, error) {
	c, err := s.dial(s.target.Client)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(fillTime)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c, listRequest); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReaderSize(c, 64<<10), nil)
}

// listAll reads to the end and counts the keys.
func (s *stage) listAll() error {
	resp, err := s.startList()
	if err != nil {
		return err
	}
	var keys valueCounter
	if _, err := io.Copy(&keys, resp.Body); err != nil {
		s.answers.add(fmt.Sprintf("%d, cut off after %d keys: %s", resp.StatusCode, keys.n, noAnswer(err)))
		return nil
	}
	s.answers.add(fmt.Sprintf("%d, %d keys", resp.StatusCode, keys.n))
	return nil
}

// listSome reads the beginning and leaves.
func (s *stage) listSome() error {
	resp, err := s.startList()
	if err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, resp.Body, 64<<10); err != nil {
		return err
	}
	s.answers.add(fmt.Sprintf("%d, left in the middle", resp.StatusCode))
	return nil
}

// valueCounter counts the nodes with a value in an answer.
type valueCounter struct {
	n    int
	rest []byte
}

var valueMark = []byte(`"value":"`)

// Write implements io.Writer.
func (c *valueCounter) Write(p []byte) (int, error) {
	c.rest = append(c.rest, p...)
	c.n += bytes.Count(c.rest, valueMark)
	// A mark may be cut in two: less than one is kept.
	keep := min(len(c.rest), len(valueMark)-1)
	c.rest = append(c.rest[:0], c.rest[len(c.rest)-keep:]...)
	return len(p), nil
}
