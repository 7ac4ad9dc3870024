package wal

import (
	"reflect"

	tidwal "github.com/tidwall/wal"
)

// library is tidwall/wal with memory for a whole segment, which is got once.
//
// tidwall/wal holds the last segment in memory, for reads that are not asked of it
// here, in a slice that starts empty and grows by a quarter: each byte is copied
// about four times and leaves five to the garbage collector, a large part of what
// a write costs. It has no option for that, so the slice is put into its field. In
// a version that has no such field nothing is reserved, and all else works.
type library struct {
	*tidwal.Log
	buffer []byte // the last segment's, and the next one's after it
}

func openLibrary(dir string, o *tidwal.Options) (appender, error) {
	t, err := tidwal.Open(dir, o)
	if err != nil {
		return nil, err
	}
	// The record that fills a segment goes beyond its size.
	l := &library{t, make([]byte, 0, min(o.SegmentSize+o.SegmentSize/8, maxReservedBytes))}
	l.reserve()
	return l, nil
}

// ClearCache forgets the segments before the last one, and lends the memory of
// the one just filled to its successor.
func (l *library) ClearCache() error {
	if err := l.Log.ClearCache(); err != nil {
		return err
	}
	l.reserve()
	return nil
}

// reserve moves what the library holds of the last segment into the buffer, which
// no other segment may have any more.
func (l *library) reserve() {
	if held := tailBuffer(l.Log); held != nil && cap(*held) < cap(l.buffer) {
		*held = append(l.buffer[:0], *held...)
	}
}

// tailBuffer is where tidwall/wal holds the records of the last segment; nil if
// this version of it does so in another way.
func tailBuffer(l *tidwal.Log) *[]byte {
	segments := reflect.ValueOf(l).Elem().FieldByName("segments")
	if segments.Kind() != reflect.Slice || segments.Len() == 0 {
		return nil
	}
	last := segments.Index(segments.Len() - 1)
	if last.Kind() != reflect.Pointer || last.Elem().Kind() != reflect.Struct {
		return nil
	}
	held := last.Elem().FieldByName("ebuf")
	if !held.IsValid() || held.Type() != reflect.TypeFor[[]byte]() {
		return nil
	}
	return (*[]byte)(held.Addr().UnsafePointer())
}
