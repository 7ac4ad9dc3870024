package transport

import (
	"errors"
	"net"
	"syscall"
)

// nonblocking is a connection of our own that can write without waiting.
type nonblocking interface {
	tryWrite(p []byte) (n int, err error)
}

// TryWriter writes to a connection as much as it takes at once. Who has one event
// for a thousand clients writes to all of them in turn, and only to those that do
// not read in goroutines that wait.
type TryWriter struct {
	own nonblocking
	raw syscall.RawConn
	try func(fd uintptr) bool // made once: it would escape with each call
	p   []byte
	n   int
	err error
}

// NewTryWriter makes the TryWriter of a connection, which may be of any kind.
func NewTryWriter(c net.Conn) *TryWriter {
	w := new(TryWriter)
	if own, ok := c.(nonblocking); ok {
		w.own = own
	} else if s, ok := c.(syscall.Conn); ok {
		// A connection that has none any more says so to who writes.
		w.raw, _ = s.SyscallConn()
		w.try = w.write
	}
	return w
}

// TryWrite writes what the connection takes without waiting: with no error and n
// less than the length of p, the rest has to wait. A connection of a kind that
// cannot tell takes nothing. It is for one caller at a time, and not beside Write.
func (w *TryWriter) TryWrite(p []byte) (n int, err error) {
	switch {
	case w.own != nil:
		return w.own.tryWrite(p)
	case w.raw == nil:
		return 0, nil
	}
	w.p, w.n, w.err = p, 0, nil
	err = w.raw.Write(w.try)
	w.p = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

func (w *TryWriter) write(fd uintptr) (done bool) {
	for {
		n, err := syscall.Write(int(fd), w.p)
		switch {
		case err == nil:
			w.n = n
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EAGAIN):
			w.err = err
		}
		return true
	}
}
