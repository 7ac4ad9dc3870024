package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// besideFile is a file on its way to a name: until it is kept, it lies beside it
// under another, and only its owner may read it.
type besideFile struct {
	*os.File
	name string
	kept bool
	// failed tells that the disk took no more.
	failed bool
}

// createBeside creates a file that is to be called name.
func createBeside(name string) (*besideFile, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("there is something else than a file")
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp") // mode 0600
	if err != nil {
		return nil, plainPath(err)
	}
	return &besideFile{File: f, name: name}, nil
}

// Write implements io.Writer.
func (f *besideFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.failed = f.failed || err != nil
	return n, err
}

// keep syncs the file, gives it its name and syncs that.
func (f *besideFile) keep() error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.File.Name(), f.name); err != nil {
		return err
	}
	f.kept = true
	dir, err := os.Open(filepath.Dir(f.name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// discard removes the file, unless it was kept.
func (f *besideFile) discard() {
	if f.kept {
		return
	}
	// That an unfinished file stays behind changes nothing for who called.
	_ = f.Close()
	_ = os.Remove(f.File.Name())
}

// plainPath takes the path off an error of a file: messages name it already.
func plainPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
