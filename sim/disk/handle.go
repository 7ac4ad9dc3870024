package disk

import (
	"io"
	"io/fs"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// handle is an open file or directory. Closing it writes nothing back, so that a killed process leaves exactly the bytes
// it had written.
type handle struct {
	sys.UnimplementedFile
	d                 *Disk
	node              *inode
	path              string // as opened, for the log
	offset            int64
	append            bool
	canRead, canWrite bool
	read              int // directory entries already handed out
}

func (h *handle) after(op Op, a, b int64, data []byte, errno sys.Errno) sys.Errno {
	h.d.hooks.After(op, h.path, a, b, data, errno)
	return errno
}

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
	h.d.hooks.Before(OpStat)
	st := h.node.stat()
	return st, h.after(OpStat, st.Size, st.Mtim, nil, 0)
}

// Read implements sys.File.
func (h *handle) Read(p []byte) (int, sys.Errno) {
	n, errno := h.Pread(p, h.offset)
	h.offset += int64(n)
	return n, errno
}

// Pread implements sys.File.
func (h *handle) Pread(p []byte, off int64) (int, sys.Errno) {
	h.d.hooks.Before(OpRead)
	switch {
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
	h.d.hooks.Before(OpWrite)
	if h.append {
		h.offset = int64(len(h.node.file.data))
	}
	errno := h.write(p, h.offset)
	if errno = h.after(OpWrite, h.offset, int64(len(p)), p, errno); errno != 0 {
		return 0, errno
	}
	h.offset += int64(len(p))
	return len(p), 0
}

// Pwrite implements sys.File.
func (h *handle) Pwrite(p []byte, off int64) (int, sys.Errno) {
	h.d.hooks.Before(OpWrite)
	if errno := h.after(OpWrite, off, int64(len(p)), p, h.write(p, off)); errno != 0 {
		return 0, errno
	}
	return len(p), 0
}

func (h *handle) write(p []byte, off int64) sys.Errno {
	switch {
	case h.node.isDir():
		return sys.EISDIR
	case !h.canWrite:
		return sys.EBADF
	case off < 0:
		return sys.EINVAL
	}
	if errno := h.reserve(off + int64(len(p))); errno != 0 {
		return errno
	}
	h.node.file.writeAt(p, int(off))
	h.node.mtime = h.d.hooks.Now()
	return 0
}

// reserve makes room for the file to be size long, or says that the disk is full.
func (h *handle) reserve(size int64) sys.Errno {
	more := size - int64(len(h.node.file.data))
	if more <= 0 {
		return 0
	}
	if size > MaxBytes || h.d.used+more > MaxBytes {
		return sys.EIO
	}
	if h.node.nlink > 0 { // what has no name any more is not on the books
		h.d.used += more
	}
	return 0
}

// Truncate implements sys.File.
func (h *handle) Truncate(size int64) sys.Errno {
	h.d.hooks.Before(OpTruncate)
	return h.after(OpTruncate, size, 0, nil, h.truncate(size))
}

func (h *handle) truncate(size int64) sys.Errno {
	switch {
	case h.node.isDir():
		return sys.EISDIR
	case !h.canWrite:
		return sys.EBADF
	case size < 0:
		return sys.EINVAL
	}
	if errno := h.reserve(size); errno != 0 {
		return errno
	}
	if less := int64(len(h.node.file.data)) - size; less > 0 && h.node.nlink > 0 {
		h.d.used -= less
	}
	h.node.file.truncate(int(size))
	h.node.mtime = h.d.hooks.Now()
	return 0
}

// fileOffset keeps go vet from mistaking Seek for io.Seeker's.
type fileOffset = int64

// Seek implements sys.File.
func (h *handle) Seek(offset fileOffset, whence int) (fileOffset, sys.Errno) {
	h.d.hooks.Before(OpSeek)
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
	h.d.hooks.Before(OpReaddir)
	if !h.node.isDir() {
		return nil, h.after(OpReaddir, 0, 0, nil, sys.ENOTDIR)
	}
	all := h.node.dir.entries
	left := all[min(h.read, len(all)):]
	if n > 0 && n < len(left) {
		left = left[:n]
	}
	out := make([]sys.Dirent, 0, len(left))
	var names []byte // each ended by a zero byte
	for _, e := range left {
		out = append(out, sys.Dirent{Ino: e.node.ino, Name: e.name, Type: e.node.mode & fs.ModeType})
		names = append(append(names, e.name...), 0)
	}
	h.read += len(left)
	return out, h.after(OpReaddir, int64(h.read), int64(len(out)), names, 0)
}

// Sync implements sys.File: of a file its bytes and length, of a directory its names.
func (h *handle) Sync() sys.Errno {
	h.d.hooks.Before(OpSync)
	if h.node.isDir() {
		h.node.dir.sync()
	} else {
		h.node.file.sync()
	}
	return h.after(OpSync, 0, 0, nil, 0)
}

// Datasync implements sys.File.
func (h *handle) Datasync() sys.Errno { return h.Sync() }

// Utimens implements sys.File.
func (h *handle) Utimens(atim, mtim int64) sys.Errno {
	h.d.hooks.Before(OpUtimens)
	h.node.setTimes(atim, mtim)
	return h.after(OpUtimens, atim, mtim, nil, 0)
}

// Close implements sys.File. It neither announces itself nor flushes: the host also closes what a killed process had open.
func (h *handle) Close() sys.Errno { return 0 }
