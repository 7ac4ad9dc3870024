package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The data directory: raft/ is the member (without it, it is a new one), tmp/
// may be lost, LOCK says who runs on it.
const (
	raftDir  = "raft"
	tmpDir   = "tmp"
	logDir   = "log" // in raft/, the replica's
	idFile   = "id"  // in raft/
	lockFile = "LOCK"
)

// diskOp carries out each operation of this package that changes a file, a
// directory or what of them is durable; it is told its name and path. It does
// just that, but for the build that injects faults (faults.go).
var diskOp = func(op, path string, do func() error) error { return do() }

// prepare makes the data directory, or checks that it is one of ours.
func prepare(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory: %s: %w; give --data-dir a directory that this user may read and write", dir, err)
	}
	ours := map[string]bool{raftDir: true, tmpDir: true, lockFile: true, "keystore": true}
	for _, e := range entries {
		if !ours[e.Name()] {
			return fmt.Errorf("data directory: %s: %w: it holds %q; give --data-dir an empty directory or one of holdfast's own", dir, ErrForeignDirectory, e.Name())
		}
	}
	for _, d := range []string{dir, filepath.Join(dir, raftDir), filepath.Join(dir, tmpDir)} {
		if err := makeDir(d); err != nil {
			return fmt.Errorf("data directory: %w; give --data-dir a directory that this user may write", err)
		}
	}
	return nil
}

// makeDir makes a directory, and its missing parents, so that it survives a
// power cut: what is synced in a directory that is lost is lost with it. The
// parent is synced even if the directory is there, for the process that made
// it may have been killed before it got that far; a parent that this user may
// not even open is somebody else's, and so was the making.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		if err := syncDir(filepath.Dir(dir)); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
			if err := makeDir(parent); err != nil {
				return err
			}
		}
	}
	if err := diskOp("mkdir", dir, func() error { return os.Mkdir(dir, 0o700) }); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func writeSynced(path string, b []byte) error {
	f, err := create(path, os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return err
	}
	if err = writeAt(f, b); err == nil {
		err = diskOp("sync", path, f.Sync)
	}
	return errors.Join(err, f.Close())
}

func create(path string, flag int) (f *os.File, err error) {
	err = diskOp("create", path, func() (err error) {
		f, err = os.OpenFile(path, os.O_CREATE|flag, 0o600)
		return err
	})
	return f, err
}

// writeAt writes the beginning of a file.
func writeAt(f *os.File, b []byte) error {
	return diskOp("write", f.Name(), func() error {
		_, err := f.WriteAt(b, 0)
		return err
	})
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(diskOp("syncdir", path, d.Sync), d.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
