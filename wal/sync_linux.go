package wal

import (
	"os"
	"syscall"
)

// syncData makes a file's bytes durable, and of what the system knows about it
// just what it takes to read them back: the length, if it has changed, but not the
// time of the change (fdatasync(2)).
func syncData(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = c.Control(func(fd uintptr) {
		for {
			if failed = syscall.Fdatasync(int(fd)); failed != syscall.EINTR {
				return
			}
		}
	})
	if err == nil && failed != nil {
		err = &os.PathError{Op: "fdatasync", Path: f.Name(), Err: failed}
	}
	return err
}
