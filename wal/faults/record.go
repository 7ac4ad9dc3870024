//go:build unix

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The record is a directory: the file f<inode> is what a file held when it was
// last synced, d<inode> the entries a directory had, in JSON, name to inode. acts
// has a line for each rule that had its way.
const (
	filePrefix = "f"
	dirPrefix  = "d"
	actsFile   = "acts"
)

// recorder writes a record. Each file of it is replaced by a rename, so that it
// is whole whenever the process ends; the page cache outlives the process, so
// that nothing needs to be synced.
type recorder struct {
	dir string
	// held keeps all inodes of the record open: one that is free is given to the
	// next file, which would be taken for the old one.
	held map[uint64]*os.File
}

func newRecorder(root, dir string) (*recorder, error) {
	r := &recorder{dir: dir, held: map[uint64]*os.File{}}
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("begin record: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("begin record: %w", err)
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		see := r.file
		if entry.IsDir() {
			see = r.directory
		}
		note, err := see(path)
		if err != nil {
			return err
		}
		return note()
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("begin record: %w", err)
	}
	return r, nil
}

// hold opens what is at path, for as long as the process lives, and returns its
// inode.
func (r *recorder) hold(path string) (inode uint64, f *os.File, err error) {
	if f, err = os.Open(path); err != nil {
		return 0, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, nil, errors.Join(err, f.Close())
	}
	inode = Inode(info)
	if old := r.held[inode]; old != nil {
		return inode, old, f.Close()
	}
	r.held[inode] = f
	return inode, f, nil
}

// Inode is the number of a file in its file system.
func Inode(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// file looks at a file's content; note records it as durable.
func (r *recorder) file(path string) (note func() error, err error) {
	inode, f, err := r.hold(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	content, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return func() error { return r.put(filePrefix, inode, content) }, nil
}

// directory looks at a directory's entries; note records them as durable.
func (r *recorder) directory(path string) (note func() error, err error) {
	inode, _, err := r.hold(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	list, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	entries := map[string]uint64{}
	for _, e := range list {
		child, _, err := r.hold(filepath.Join(path, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
		entries[e.Name()] = child
	}
	content, err := json.Marshal(entries)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return func() error { return r.put(dirPrefix, inode, content) }, nil
}

func (r *recorder) put(prefix string, inode uint64, content []byte) error {
	path := filepath.Join(r.dir, prefix+strconv.FormatUint(inode, 10))
	err := os.WriteFile(path+".tmp", content, 0o600)
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// act writes a line down before what it says is done.
func (r *recorder) act(line string) {
	f, err := os.OpenFile(filepath.Join(r.dir, actsFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(line + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		panic(fmt.Errorf("record: %w", err)) // a fault nobody can know of proves nothing
	}
}

// Record is what a power cut leaves for certain.
type Record struct {
	// Files holds by inode what a file held when it was last synced; a file
	// that never was is missing.
	Files map[uint64][]byte
	// Directories holds by inode the entries a directory had when it was last
	// synced, name to inode.
	Directories map[uint64]map[string]uint64
	// Acts are the rules that had their way, in order: "action: operation path".
	Acts []string
}

// ReadRecord reads the record of a process that has ended.
func ReadRecord(dir string) (*Record, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	r := &Record{Files: map[uint64][]byte{}, Directories: map[uint64]map[string]uint64{}}
	for _, e := range list {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read record: %w", err)
		}
		if e.Name() == actsFile {
			r.Acts = strings.Split(strings.TrimSpace(string(content)), "\n")
			continue
		}
		inode, err := strconv.ParseUint(e.Name()[1:], 10, 64)
		if err != nil {
			continue // a file that was being replaced
		}
		if strings.HasPrefix(e.Name(), filePrefix) {
			r.Files[inode] = content
			continue
		}
		var entries map[string]uint64
		if err := json.Unmarshal(content, &entries); err != nil {
			return nil, fmt.Errorf("read record: %s: %w", e.Name(), err)
		}
		r.Directories[inode] = entries
	}
	return r, nil
}
