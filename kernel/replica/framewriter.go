package replica

import (
	"net"
	"sync"
	"time"
)

// frameWriter sends frames from many goroutines; what gathers while one write
// is under way goes out with the next.
type frameWriter struct {
	nc     net.Conn
	failed func(error)

	mu     sync.Mutex
	buf    []byte
	closed bool
	wake   chan struct{}
}

// maxWriteBacklog bounds what waits to be sent on one connection, in bytes;
// writeTimeout how long the peer may take nothing.
const (
	maxWriteBacklog = 64 << 20
	writeTimeout    = 10 * time.Second
)

func newFrameWriter(nc net.Conn, failed func(error)) *frameWriter {
	w := &frameWriter{nc: nc, failed: failed, wake: make(chan struct{}, 1)}
	go w.run()
	return w
}

// write queues a frame. A peer that takes nothing for too long, or too much
// of a backlog, breaks the connection.
func (w *frameWriter) write(f frame) {
	w.mu.Lock()
	full := len(w.buf) > maxWriteBacklog
	if !w.closed && !full {
		w.buf = appendFrame(w.buf, f)
	}
	w.mu.Unlock()
	if full {
		w.failed(ErrBusy)
		return
	}
	w.signal()
}

// backlog is how many bytes wait to be sent.
func (w *frameWriter) backlog() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return uint64(len(w.buf))
}

func (w *frameWriter) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *frameWriter) close() {
	w.mu.Lock()
	w.closed = true
	w.buf = nil
	w.mu.Unlock()
	w.signal()
}

func (w *frameWriter) run() {
	var spare []byte
	for range w.wake {
		for {
			w.mu.Lock()
			out, closed := w.buf, w.closed
			w.buf = spare[:0]
			w.mu.Unlock()
			if closed {
				return
			}
			if len(out) == 0 {
				spare = out
				break
			}
			if err := w.send(out); err != nil {
				w.failed(err)
				return
			}
			spare = out
		}
	}
}

func (w *frameWriter) send(b []byte) error {
	if err := w.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := w.nc.Write(b)
	return err
}
