package main

import (
	"bytes"
	"os"
	"sync"
)

// readFile is a module that was read, and the file as it was then.
type readFile struct {
	info   os.FileInfo
	module []byte
}

// lastRead are the modules that were read last: a worker plays one run after the other of one, or of two versions.
var lastRead struct {
	sync.Mutex
	files [2]readFile
	next  int
}

// readModule reads a guest's module, unless the file is the one that was read before. The bytes are shared and must not be
// changed.
func readModule(name string) ([]byte, error) {
	lastRead.Lock()
	defer lastRead.Unlock()
	info, err := os.Stat(name)
	if err == nil {
		for _, f := range lastRead.files {
			if f.info != nil && os.SameFile(f.info, info) && f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime()) {
				return f.module, nil
			}
		}
	}
	module, err := os.ReadFile(name)
	if err != nil {
		return nil, usagef("module: %w; build it with make guest, or name another with --module", err)
	}
	if !bytes.HasPrefix(module, []byte("\x00asm")) {
		return nil, usagef("module: %s: not WebAssembly; build it with make guest", name)
	}
	if info != nil {
		lastRead.files[lastRead.next] = readFile{info, module}
		lastRead.next = (lastRead.next + 1) % len(lastRead.files)
	}
	return module, nil
}
