//go:build unix

package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lock makes this process the only one on the data directory. The kernel of
// the system drops the lock with the process, however that ends; the pid in
// the file is for people.
func lock(dir string) (io.Closer, error) {
	path := filepath.Join(dir, lockFile)
	f, err := create(path, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("lock: %w; give --data-dir a directory that this user may write", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid := make([]byte, 32)
		n, _ := f.ReadAt(pid, 0)
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory: %s: %w by the process with pid %s; stop it, or give --data-dir another directory", dir, ErrInUse, strings.TrimSpace(string(pid[:n])))
		}
		return nil, fmt.Errorf("lock: %s: %w; give --data-dir a directory on a local disk", path, err)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Appendf(nil, "%d\n", os.Getpid()))); err != nil {
		return nil, errors.Join(fmt.Errorf("lock: %s: %w; see that the disk has room and may be written", path, err), f.Close())
	}
	return f, nil
}
