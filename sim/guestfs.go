package sim

import (
	"bytes"
	"encoding/binary"
	"io/fs"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// doorbellPath is where a process finds its doorbell, as a path of the root file system.
const doorbellPath = "dev/sim/doorbell"

// rootFS is a machine's disk with the process's doorbell in it.
type rootFS struct {
	sys.FS
	p *process
}

// OpenFile implements sys.FS.
func (r *rootFS) OpenFile(path string, flag sys.Oflag, perm fs.FileMode) (sys.File, sys.Errno) {
	if path == doorbellPath {
		return &doorbellFile{p: r.p}, 0
	}
	return r.FS.OpenFile(path, flag, perm)
}

// doorbell collects the ids of sockets that have news. Each is in it once at most, so it is bounded by the number of
// sockets.
type doorbell struct {
	fd    int32 // the descriptor under which the process knows it; -1 unknown
	queue []*socket
}

// ring notes that s has news and plans a turn for its process.
func (s *socket) ring(at int64) {
	p := s.p
	if p == nil || p.done || s.rung || !s.known() {
		return
	}
	s.rung = true
	p.door.queue = append(p.door.queue, s)
	p.wake(at)
}

// take moves ids out of the queue, as little-endian uint32, and returns how many.
func (d *doorbell) take(b []byte) int {
	n := min(len(b)/4, len(d.queue))
	for i, s := range d.queue[:n] {
		s.rung = false
		binary.LittleEndian.PutUint32(b[4*i:], uint32(s.id))
	}
	d.queue = append(d.queue[:0], d.queue[n:]...)
	return n
}

// doorbellFile is the doorbell as an open file. It is there to be waited for; what it has to tell is had by net_news.
type doorbellFile struct {
	sys.UnimplementedFile
	p        *process
	nonblock bool
}

// Stat implements sys.File: a pipe, so that package os waits for it with the poller.
func (f *doorbellFile) Stat() (wsys.Stat_t, sys.Errno) {
	return wsys.Stat_t{Mode: fs.ModeNamedPipe | 0o600, Nlink: 1}, 0
}

// IsNonblock implements sys.PollableFile.
func (f *doorbellFile) IsNonblock() bool { return f.nonblock }

// SetNonblock implements sys.PollableFile.
func (f *doorbellFile) SetNonblock(on bool) sys.Errno {
	f.nonblock = on
	return 0
}

// Poll implements sys.PollableFile.
func (f *doorbellFile) Poll(sys.Pflag, int32) (bool, sys.Errno) { return len(f.p.door.queue) > 0, 0 }

// stdio receives what a process prints.
type stdio struct{ p *process }

// Write implements io.Writer; it never fails.
func (s stdio) Write(b []byte) (int, error) {
	s.p.enter()
	s.p.step(opStdio, 0, 0, 0, b)
	s.p.m.output.add(b, func(line []byte) { s.p.m.w.print(s.p, line) })
	return len(b), nil
}

// lines cuts a stream into lines and keeps the last ones.
type lines struct {
	partial []byte
	last    []string
	// panicked: the runtime has said that it gives the process up.
	panicked bool
}

// Limits of what is kept of a process's output.
const (
	maxLineBytes = 16 << 10
	keptLines    = 40
)

func (l *lines) add(b []byte, each func([]byte)) {
	l.partial = append(l.partial, b...)
	for {
		i := bytes.IndexByte(l.partial, '\n')
		if i < 0 && len(l.partial) > maxLineBytes {
			i = len(l.partial) - 1
		}
		if i < 0 {
			return
		}
		line := l.partial[:i]
		each(line)
		if bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: ")) {
			l.panicked = true
		}
		if len(l.last) == keptLines {
			l.last = append(l.last[:0], l.last[1:]...)
		}
		l.last = append(l.last, string(line))
		l.partial = append(l.partial[:0], l.partial[i+1:]...)
	}
}
