//go:build wasip1

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// files does with package os what a store does, and more. Arguments: none.
func files([]string) error {
	for _, f := range []func(string) error{createFlags, appending, positions, renames, directories} {
		dir, err := os.MkdirTemp("/", "files")
		if err != nil {
			return err
		}
		if err := f(dir); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	left, err := os.ReadDir("/")
	if err != nil || len(left) != 0 {
		return fmt.Errorf("left %v, %v", left, err)
	}
	return nil
}

func expect(path, want string) error {
	b, err := os.ReadFile(path)
	if err != nil || string(b) != want {
		return fmt.Errorf("%s: want %q, got %q, %v", path, want, b, err)
	}
	return nil
}

func createFlags(dir string) error {
	path := filepath.Join(dir, "f")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("first"); err != nil {
		return err
	}
	if _, err := f.Read(make([]byte, 1)); err == nil {
		return errors.New("read from a file open for writing")
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if _, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("created twice: %v", err)
	}
	if err := os.WriteFile(path, []byte("2nd"), 0o600); err != nil {
		return err
	}
	if _, err := os.Open(path + "x"); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("opened what is not there: %v", err)
	}
	return expect(path, "2nd")
}

func appending(dir string) error {
	path := filepath.Join(dir, "log")
	for _, s := range []string{"a", "bc", "def"} {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if _, err := f.WriteString(s); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return expect(path, "abcdef")
}

func positions(dir string) error {
	path := filepath.Join(dir, "p")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("tail"), 6); err != nil {
		return err
	}
	if _, err := f.WriteString("head"); err != nil {
		return err
	}
	if err := expect(path, "head\x00\x00tail"); err != nil {
		return err
	}
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, 6); err != nil || string(b) != "tail" {
		return fmt.Errorf("read at: %q %v", b, err)
	}
	if _, err := f.ReadAt(b, 8); err != io.EOF {
		return fmt.Errorf("read over the end: %v", err)
	}
	if at, err := f.Seek(-4, io.SeekEnd); at != 6 || err != nil {
		return fmt.Errorf("seek: %d %v", at, err)
	}
	if err := f.Truncate(8); err != nil {
		return err
	}
	if err := f.Truncate(10); err != nil {
		return err
	}
	if st, err := f.Stat(); err != nil || st.Size() != 10 {
		return fmt.Errorf("stat: %v %v", st, err)
	}
	return expect(path, "head\x00\x00ta\x00\x00")
}

func renames(dir string) error {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := errors.Join(os.WriteFile(a, []byte("A"), 0o600), os.WriteFile(b, []byte("B"), 0o600)); err != nil {
		return err
	}
	open, err := os.Open(b)
	if err != nil {
		return err
	}
	defer open.Close()
	if err := os.Rename(a, b); err != nil {
		return err
	}
	old, err := io.ReadAll(open)
	if err != nil || string(old) != "B" {
		return fmt.Errorf("the replaced file: %q %v", old, err)
	}
	if err := os.Remove(b); err != nil {
		return err
	}
	if _, err := os.Stat(b); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removed: %v", err)
	}
	return nil
}

func directories(dir string) error {
	deep := filepath.Join(dir, "x", "y", "z")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		return err
	}
	want := make([]string, 0, 300)
	for i := range 300 {
		name := fmt.Sprintf("%03d", (i*7)%300)
		want = append(want, fmt.Sprintf("%03d", i))
		if err := os.WriteFile(filepath.Join(deep, name), nil, 0o600); err != nil {
			return err
		}
	}
	d, err := os.Open(deep)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync a directory: %w", err)
	}
	got, err := d.Readdirnames(-1) // unsorted by package os
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		return fmt.Errorf("names: %v %v", got, err)
	}
	if err := os.Remove(filepath.Join(dir, "x")); err == nil {
		return errors.New("removed a directory that is not empty")
	}
	if err := os.Rename(filepath.Join(dir, "x"), filepath.Join(dir, "moved")); err != nil {
		return err
	}
	st, err := os.Stat(filepath.Join(dir, "moved", "y", "z", "007"))
	if err != nil || !st.Mode().IsRegular() {
		return fmt.Errorf("below a renamed directory: %v %v", st, err)
	}
	return nil
}
