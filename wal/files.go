package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

const (
	dirMode   fs.FileMode = 0o700
	fileMode  fs.FileMode = 0o600
	tmpSuffix             = ".tmp"
)

// diskOp carries out each operation of this package that changes a file, a
// directory or what of them is durable; it is told its name and path. It does
// just that, outside of tests and of the build that injects faults (faults.go):
// they record, count, stop and fail operations there. What tidwall/wal does to
// its files does not pass through here.
var diskOp = func(op, path string, do func() error) error { return do() }

// syncDir makes the entries of a directory durable: creations, removals and
// renames in it.
//
// WASI hosts differ in whether a directory can be synced at all; where one
// answers that it cannot, there is nothing more to ask for, and the refusal is
// taken for success. This is the only place where that is done, and only there:
// on every other system each error counts.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory to sync it: %w", err)
	}
	err = diskOp("syncdir", dir, d.Sync)
	if runtime.GOOS == "wasip1" && cannotSyncDir(err) {
		err = nil
	}
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

func cannotSyncDir(err error) bool {
	for _, no := range []error{
		syscall.EINVAL, syscall.ENOTSUP, syscall.EBADF, syscall.EISDIR, syscall.ENOSYS,
	} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// mkdirDurable creates dir and its missing parents, and syncs the parent of
// each. The parent of dir itself is synced even if dir exists, because the
// process that made it may have been killed before it got that far.
func mkdirDurable(dir string) error {
	missing := []string{dir}
	for p := filepath.Dir(dir); ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil || p == filepath.Dir(p) {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("make directory %s: %w", dir, err)
		}
		missing = append(missing, p)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := mkdir(missing[i]); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make directory: %w", err)
		}
		if err := syncDir(filepath.Dir(missing[i])); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile puts data under path so that after a power cut at any point the
// file holds either its old content or all of data: write a temporary file,
// sync it, rename it over path, sync the directory.
func replaceFile(path string, data []byte) error {
	tmp := path + tmpSuffix
	if err := writeSynced(tmp, data); err != nil {
		return err
	}
	if err := rename(tmp, path); err != nil {
		return fmt.Errorf("replace file: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func writeSynced(path string, data []byte) error {
	f, err := create(path, os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("create file: %w", err)
	}
	_, err = announced{f}.Write(data)
	if err == nil {
		err = syncFile(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

// removeTmp removes a temporary file that an interrupted replaceFile left.
// Its removal need not be durable: the next start removes it again. It tells
// whether there was one.
func removeTmp(path string) (found bool, err error) {
	err = remove(path + tmpSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("remove leftover: %w", err)
	}
	return err == nil, nil
}

// readBounded reads a small file whole, refusing one larger than limit.
func readBounded(path string, limit int64) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if fi.Size() > limit {
		return nil, &Fault{File: path, Cause: fmt.Sprintf("%d bytes long, at most %d are possible", fi.Size(), limit)}
	}
	return os.ReadFile(path)
}

// The rest are the system's calls, each announced to diskOp.

func create(path string, flag int) (f *os.File, err error) {
	err = diskOp("create", path, func() (err error) {
		f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, fileMode)
		return err
	})
	return f, err
}

func mkdir(path string) error {
	return diskOp("mkdir", path, func() error { return os.Mkdir(path, dirMode) })
}

func syncFile(f *os.File) error { return diskOp("sync", f.Name(), f.Sync) }

// announced is a file written from its start to its end.
type announced struct{ f *os.File }

func (a announced) Write(b []byte) (n int, err error) {
	err = diskOp("write", a.f.Name(), func() (err error) {
		n, err = a.f.Write(b)
		return err
	})
	return n, err
}

func writeAt(f *os.File, b []byte, off int64) error {
	return diskOp("write", f.Name(), func() error {
		_, err := f.WriteAt(b, off)
		return err
	})
}

func truncate(f *os.File, size int64) error {
	return diskOp("truncate", f.Name(), func() error { return f.Truncate(size) })
}

func rename(from, to string) error {
	return diskOp("rename", to, func() error { return os.Rename(from, to) })
}

func remove(path string) error {
	return diskOp("remove", path, func() error { return os.Remove(path) })
}

func removeAll(path string) error {
	return diskOp("remove", path, func() error { return os.RemoveAll(path) })
}
