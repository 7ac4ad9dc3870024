//go:build faults && unix

package wal

import (
	"os"

	tidwal "github.com/tidwall/wal"

	"holdfast/wal/faults"
)

// This file is in no program but those built to have the disk broken under them.
func init() {
	inject := faults.FromEnvironment()
	if inject == nil {
		return
	}
	diskOp = inject.Do
	open := openAppender
	openAppender = func(dir string, o *tidwal.Options) (appender, error) {
		a, err := open(dir, o)
		return &injectedAppender{appender: a, dir: dir, inject: inject}, err
	}
}

// injectedAppender announces what tidwall/wal does to the last segment.
type injectedAppender struct {
	appender
	dir    string
	inject *faults.Injector
}

// newest is the path of the last segment file.
func (a *injectedAppender) newest() (string, error) {
	firsts, err := listSegments(a.dir)
	if err != nil || len(firsts) == 0 {
		return a.dir, err
	}
	return segmentPath(a.dir, firsts[len(firsts)-1]), nil
}

func (a *injectedAppender) WriteBatch(b *tidwal.Batch) error {
	path, err := a.newest()
	if err != nil {
		return err
	}
	next := path
	return a.inject.Append(path, func() error { return a.appender.WriteBatch(b) },
		func() (filled bool, err error) {
			next, err = a.newest()
			return next != path, err
		},
		func() error { return os.Remove(next) })
}
