//go:build unix

package process

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// reserve keeps a port from other programs that give ports here, tests of other
// packages above all: a member that is down for a moment has nobody to hold its
// port. The reservation ends with this process.
func reserve(port int) (ours bool, err error) {
	dir := filepath.Join(os.TempDir(), "holdfast-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return false, err
	}
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // somebody else has it
		return false, nil
	}
	reserved = append(reserved, f)
	return true, nil
}

// reserved are the files that hold the reservations; closed, they would end them.
var reserved []*os.File
