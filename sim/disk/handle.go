package disk

import (
	"encoding/binary"
	"io"
	"io/fs"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// handle is an open file or directory. Closing it writes nothing back, so that a killed process leaves exactly the bytes
// it had written.
type handle struct {
	sys.UnimplementedFile
	m                 *mount
	node              *inode
	path              string // as opened, for the log
	offset            int64
	append            bool
	canRead, canWrite bool
	read              int // directory entries already handed out
}

func (h *handle) after(op Op, a, b int64, data []byte, errno sys.Errno) sys.Errno {
	h.m.hooks.After(op, h.path, a, b, data, errno)
	return errno
}

func (h *handle) enter(op Op) Fault { return h.m.enter(op, h.path) }

// Dev implements sys.File.
func (h *handle) Dev() (uint64, sys.Errno) { return 1, 0 }

// Ino implements sys.File.
func (h *handle) Ino() (wsys.Inode, sys.Errno) { return h.node.ino, 0 }

// IsDir implements sys.File.
func (h *handle) IsDir() (bool, sys.Errno) { return h.node.isDir(), 0 }

// IsAppend implements sys.File.
func (h *handle) IsAppend() bool { return h.append }

// SetAppend implements sys.File.
func (h *handle) SetAppend(on bool) sys.Errno {
	h.append = on
	return 0
}

// Stat implements sys.File.
func (h *handle) Stat() (wsys.Stat_t, sys.Errno) {
	if errno := h.enter(OpStat).Errno; errno != 0 {
		return wsys.Stat_t{}, h.after(OpStat, 0, 0, nil, errno)
	}
	return h.m.stat(h.path, h.node)
}

// Read implements sys.File.
func (h *handle) Read(p []byte) (int, sys.Errno) {
	n, errno := h.Pread(p, h.offset)
	h.offset += int64(n)
	return n, errno
}

// Pread implements sys.File.
func (h *handle) Pread(p []byte, off int64) (int, sys.Errno) {
	errno := h.enter(OpRead).Errno
	switch {
	case errno != 0:
		return 0, h.after(OpRead, off, 0, nil, errno)
	case h.node.isDir():
		return 0, h.after(OpRead, off, 0, nil, sys.EISDIR)
	case !h.canRead:
		return 0, h.after(OpRead, off, 0, nil, sys.EBADF)
	case off < 0:
		return 0, h.after(OpRead, off, 0, nil, sys.EINVAL)
	}
	n := 0
	if off < int64(len(h.node.file.data)) {
		n = copy(p, h.node.file.data[off:])
	}
	return n, h.after(OpRead, off, int64(n), p[:n], 0)
}

// Write implements sys.File.
func (h *handle) Write(p []byte) (int, sys.Errno) {
	if h.append {
		h.offset = int64(len(h.node.file.data))
	}
	n, errno := h.Pwrite(p, h.offset)
	h.offset += int64(n)
	return n, errno
}

// Pwrite implements sys.File.
func (h *handle) Pwrite(p []byte, off int64) (int, sys.Errno) {
	fits, errno := h.room(off, int64(len(p)))
	if errno == 0 {
		h.m.d.writing = entered{h.node, p[:fits], int(off)}
		defer func() { h.m.d.writing = entered{} }()
	}
	fault := h.enter(OpWrite)
	if fault.Errno != 0 {
		n := 0
		if errno == 0 && fault.Chance != nil {
			n, _ = h.m.d.tear(h.m.d.writing, &dice{chance: fault.Chance}, false)
		}
		return 0, h.after(OpWrite, off, int64(n), p, fault.Errno)
	}
	if errno != 0 {
		return 0, h.after(OpWrite, off, 0, p, errno)
	}
	before := len(h.node.file.data)
	h.node.file.writeAt(p[:fits], int(off))
	h.m.d.resized(h.node, before)
	h.node.mtime = h.m.hooks.Now()
	return fits, h.after(OpWrite, off, int64(fits), p, 0)
}

// room tells how many of the bytes to be written at off fit on the disk, or why none can be written.
func (h *handle) room(off, bytes int64) (int, sys.Errno) {
	switch {
	case h.node.isDir():
		return 0, sys.EISDIR
	case !h.canWrite:
		return 0, sys.EBADF
	case off < 0:
		return 0, sys.EINVAL
	case bytes == 0:
		return 0, 0
	}
	size := int64(len(h.node.file.data))
	if more := off + bytes - size; more > 0 {
		free := min(h.m.d.capacity-h.m.d.used, MaxBytes-size)
		bytes -= max(more-max(free, 0), 0)
		if bytes <= 0 {
			return 0, sys.EIO
		}
	}
	return int(bytes), 0
}

// Truncate implements sys.File.
func (h *handle) Truncate(size int64) sys.Errno {
	errno := h.enter(OpTruncate).Errno
	if errno == 0 {
		errno = h.truncate(size)
	}
	return h.after(OpTruncate, size, 0, nil, errno)
}

func (h *handle) truncate(size int64) sys.Errno {
	if size < 0 {
		return sys.EINVAL
	}
	before := len(h.node.file.data)
	more := size - int64(before)
	if fits, errno := h.room(int64(before), max(more, 0)); errno != 0 {
		return errno
	} else if int64(fits) < more {
		return sys.EIO
	}
	h.node.file.truncate(int(size))
	h.m.d.resized(h.node, before)
	h.node.mtime = h.m.hooks.Now()
	return 0
}

// fileOffset keeps go vet from mistaking Seek for io.Seeker's.
type fileOffset = int64

// Seek implements sys.File.
func (h *handle) Seek(offset fileOffset, whence int) (fileOffset, sys.Errno) {
	errno := h.enter(OpSeek).Errno
	if errno != 0 {
		return 0, h.after(OpSeek, offset, int64(whence), nil, errno)
	}
	if h.node.isDir() {
		if offset != 0 || whence != io.SeekStart {
			return 0, h.after(OpSeek, offset, int64(whence), nil, sys.EINVAL)
		}
		h.read = 0
		return 0, h.after(OpSeek, offset, int64(whence), nil, 0)
	}
	base := int64(0)
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		base = h.offset
	case io.SeekEnd:
		base = int64(len(h.node.file.data))
	default:
		return 0, h.after(OpSeek, offset, int64(whence), nil, sys.EINVAL)
	}
	if base+offset < 0 {
		return 0, h.after(OpSeek, offset, int64(whence), nil, sys.EINVAL)
	}
	h.offset = base + offset
	return h.offset, h.after(OpSeek, h.offset, int64(whence), nil, 0)
}

// Readdir implements sys.File; names come sorted.
func (h *handle) Readdir(n int) ([]sys.Dirent, sys.Errno) {
	errno := h.enter(OpReaddir).Errno
	if errno == 0 && !h.node.isDir() {
		errno = sys.ENOTDIR
	}
	if errno != 0 {
		return nil, h.after(OpReaddir, 0, 0, nil, errno)
	}
	all := h.node.dir.entries
	left := all[min(h.read, len(all)):]
	if n > 0 && n < len(left) {
		left = left[:n]
	}
	out := make([]sys.Dirent, 0, len(left))
	var names []byte // each ended by a zero byte and its inode
	for _, e := range left {
		out = append(out, sys.Dirent{Ino: e.node.ino, Name: e.name, Type: e.node.mode & fs.ModeType})
		names = binary.LittleEndian.AppendUint64(append(append(names, e.name...), 0), e.node.ino)
	}
	h.read += len(left)
	return out, h.after(OpReaddir, int64(h.read), int64(len(out)), names, 0)
}

// Sync implements sys.File: of a file its bytes and length, of a directory its names.
func (h *handle) Sync() sys.Errno {
	fault := h.enter(OpSync)
	var failing *dice
	if fault.Errno != 0 {
		if fault.Chance == nil {
			return h.after(OpSync, 0, 0, nil, fault.Errno)
		}
		failing = &dice{chance: fault.Chance}
	}
	switch {
	case h.node.isDir():
		h.m.d.syncDir(h.node, failing)
	case failing != nil:
		h.node.file.syncFailing(failing)
	default:
		h.node.file.sync()
	}
	return h.after(OpSync, 0, 0, nil, fault.Errno)
}

// Datasync implements sys.File.
func (h *handle) Datasync() sys.Errno { return h.Sync() }

// Utimens implements sys.File.
func (h *handle) Utimens(atim, mtim int64) sys.Errno {
	errno := h.enter(OpUtimens).Errno
	if errno == 0 {
		h.node.setTimes(atim, mtim)
	}
	return h.after(OpUtimens, atim, mtim, nil, errno)
}

// Close implements sys.File. It neither announces itself nor flushes: the host also closes what a killed process had open.
func (h *handle) Close() sys.Errno { return 0 }
