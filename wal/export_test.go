package wal

import (
	"testing"

	tidwal "github.com/tidwall/wal"
)

// SetDisk has disk carry out every operation that changes what lies on disk, of
// all logs and stores, for the length of a test: those that diskOp is told of, and
// the "append" to the last segment of a log. It may be called by several
// goroutines. For tests that run whole members on bad disks.
func SetDisk(t testing.TB, disk func(op, path string, do func() error) error) {
	oldOp, oldOpen := diskOp, openAppender
	diskOp = disk
	openAppender = func(dir string, o *tidwal.Options) (appender, error) {
		a, err := oldOpen(dir, o)
		return &diskAppender{appender: a, dir: dir, disk: disk}, err
	}
	t.Cleanup(func() { diskOp, openAppender = oldOp, oldOpen })
}

type diskAppender struct {
	appender
	dir  string
	disk func(op, path string, do func() error) error
}

func (a *diskAppender) WriteBatch(b *tidwal.Batch) error {
	path, err := LastSegment(a.dir)
	if err != nil {
		return err
	}
	return a.disk("append", path, func() error { return a.appender.WriteBatch(b) })
}

// LastSegment is the path of the last segment file of the log in dir, which holds
// one.
func LastSegment(dir string) (string, error) {
	firsts, err := listSegments(dir)
	if err != nil {
		return "", err
	}
	return segmentPath(dir, firsts[len(firsts)-1]), nil
}
