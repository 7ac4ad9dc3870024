package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

const (
	// bufferBytes is the read buffer of a connection, and the longest line of
	// an answer's head.
	bufferBytes  = 16 << 10
	maxHeadLines = 200
	// sampleBytes is how much of a refusal's body an error shows.
	sampleBytes = 160
)

// conn is a keep-alive connection to one address. Its methods, expire apart,
// are for one goroutine.
type conn struct {
	address string
	in      *bufio.Reader
	kept    []byte // the body of the last answer

	mu       sync.Mutex // guards what expire touches
	raw      net.Conn   // nil: not connected
	deadline time.Time
	closed   bool // for good
}

// errClosed ends what is asked of a connection that was closed for good.
var errClosed = errors.New("connection closed")

func newConn(address string) *conn {
	return &conn{address: address, in: bufio.NewReaderSize(nil, bufferBytes)}
}

// dial connects unless connected.
func (c *conn) dial(timeout time.Duration) error {
	if c.raw != nil {
		return nil
	}
	raw, err := net.DialTimeout("tcp", c.address, timeout)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) {
			err = dial.Err // the caller names the address
		}
		return err
	}
	c.in.Reset(raw)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = raw.Close()
		return errClosed
	}
	c.raw = raw
	if err := raw.SetDeadline(c.deadline); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	return nil
}

// expire makes all reading and writing fail at a time; the zero time is never.
// It may be called from any goroutine.
func (c *conn) expire(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = at
	if c.raw != nil {
		// It fails only on a connection that is broken anyway, which its user
		// is about to see.
		_ = c.raw.SetDeadline(at)
	}
}

// drop closes the connection; the next dial makes a new one.
func (c *conn) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.raw != nil {
		_ = c.raw.Close()
		c.raw = nil
	}
}

// close closes it for good, also under a reader. It may be called from any
// goroutine.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.raw != nil {
		_ = c.raw.Close()
	}
}

// do sends a request and reads its answer. Of the body the first keep bytes
// are kept, of a refusal the first sampleBytes; they are valid until the next
// call. After an error the connection is gone.
func (c *conn) do(request []byte, keep int) (status int, body []byte, err error) {
	h, err := c.ask(request)
	if err == nil {
		if h.status >= 300 && keep < sampleBytes {
			keep = sampleBytes
		}
		err = c.readBody(h, keep)
	}
	if err != nil || h.last {
		c.drop()
	}
	return h.status, c.kept, err
}

// ask sends a request and reads the head of its answer.
func (c *conn) ask(request []byte) (head, error) {
	if _, err := c.raw.Write(request); err != nil {
		return head{}, fmt.Errorf("send request: %w", err)
	}
	h, err := c.readHead()
	if err != nil {
		return head{}, fmt.Errorf("read answer: %w", err)
	}
	return h, nil
}

// head is what matters of an answer's head.
type head struct {
	status  int
	length  int  // of the body; -1 if not said
	chunked bool // the body comes in chunks
	last    bool // the server closes after this answer
}

func (c *conn) readHead() (head, error) {
	line, err := c.line()
	if err != nil {
		return head{}, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return head{}, fmt.Errorf("%.40q is no HTTP status line", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return head{}, fmt.Errorf("%.40q has no HTTP status", line)
	}
	h := head{status: status, length: -1, last: line[7] == '0'}
	for range maxHeadLines {
		if line, err = c.line(); err != nil {
			return head{}, err
		}
		if len(line) == 0 {
			return h, nil
		}
		if err := h.take(line); err != nil {
			return head{}, err
		}
	}
	return head{}, fmt.Errorf("more than %d header lines", maxHeadLines)
}

// take notes a header line if it matters.
func (h *head) take(line []byte) error {
	switch line[0] | 0x20 {
	case 'c':
		if value, ok := headerValue(line, "content-length:"); ok {
			n, err := strconv.Atoi(string(value))
			if err != nil || n < 0 {
				return fmt.Errorf("%.40q is no length", line)
			}
			h.length = n
		} else if value, ok := headerValue(line, "connection:"); ok {
			h.last = bytes.EqualFold(value, []byte("close"))
		}
	case 't':
		if value, ok := headerValue(line, "transfer-encoding:"); ok {
			h.chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	return nil
}

// headerValue gives what follows a name, which is in lower case, with its colon.
func headerValue(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) {
		return nil, false
	}
	for i := range len(name) {
		b := line[i]
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
		if b != name[i] {
			return nil, false
		}
	}
	return bytes.TrimSpace(line[len(name):]), true
}

// line reads up to the end of a line, which it leaves out.
func (c *conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("a line longer than %d bytes", bufferBytes)
	}
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the server closed the connection: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// readBody reads a body to its end and keeps its beginning.
func (c *conn) readBody(h head, keep int) error {
	c.kept = c.kept[:0]
	if !h.chunked {
		if h.length < 0 {
			return errors.New("read answer: neither a length nor chunks")
		}
		return c.takeBytes(h.length, keep)
	}
	for {
		n, err := c.chunk()
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		if err := c.takeBytes(n, keep); err != nil {
			return err
		}
		if err := c.chunkEnd(); err != nil || n == 0 {
			return err
		}
	}
}

// chunk reads the length of the next chunk; 0 is the last.
func (c *conn) chunk() (int, error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	size, _, _ := bytes.Cut(line, []byte{';'})
	n, err := strconv.ParseUint(string(size), 16, 31)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no length of a chunk", line)
	}
	return int(n), nil
}

// chunkEnd reads the line behind a chunk, which is empty: servers of this API
// send no trailers.
func (c *conn) chunkEnd() error {
	line, err := c.line()
	if err == nil && len(line) > 0 {
		err = fmt.Errorf("%.40q stands behind a chunk", line)
	}
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// takeBytes reads n bytes and keeps what there is room for.
func (c *conn) takeBytes(n, keep int) error {
	had := len(c.kept)
	wanted := max(0, min(n, keep-had))
	if wanted > 0 {
		c.kept = append(c.kept, make([]byte, wanted)...)
		if _, err := io.ReadFull(c.in, c.kept[had:]); err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
	}
	if _, err := c.in.Discard(n - wanted); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}
