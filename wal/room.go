package wal

import (
	"errors"
	"fmt"
	"os"
)

const (
	// minRoomBytes and maxRoomBytes bound how far ahead the last segment is
	// filled with zeros: as far again as it is long, within these.
	minRoomBytes = 64 << 10
	maxRoomBytes = 1 << 20
)

// zeros is what room is made of.
var zeros [64 << 10]byte

// room is the last segment file beyond its records: zeros, written ahead, that
// later records go over. A file that grows with each batch has its new length and
// blocks written to the file system's journal by each sync; one whose length and
// blocks are there already has just the batch's own bytes written. Zeros that are
// written, unlike blocks that are merely reserved, leave nothing to be noted when
// they are written over.
//
// It has a descriptor of its own, because tidwall/wal does not lend its. The
// library writes on at its own offset, whatever lies beyond it.
//
// Zeros prove nothing and are no record: a start cuts them off, as does Close. They
// never reach beyond Options.SegmentBytes, so that a full segment ends with its
// last record.
type room struct {
	f   *os.File
	end int64 // of the file: records, then zeros
}

// openRoom opens the last segment, whose records end at size, as does the file.
func openRoom(dir string, first uint64, size int64) (*room, error) {
	f, err := os.OpenFile(segmentPath(dir, first), os.O_WRONLY, fileMode)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	return &room{f: f, end: size}, nil
}

// extend writes zeros behind records that end at size, if they have gone beyond
// the last room. The next sync makes them durable, too, or not: none is needed.
func (r *room) extend(size, limit int64) error {
	if size <= r.end {
		return nil
	}
	end := min(limit, size+min(max(size, minRoomBytes), maxRoomBytes))
	for at := size; at < end; {
		n := min(end-at, int64(len(zeros)))
		if err := writeAt(r.f, zeros[:n], at); err != nil {
			return fmt.Errorf("write ahead: %w", err)
		}
		at += n
	}
	r.end = max(size, end)
	return nil
}

// sync makes the segment's records durable, whoever has written them: what is
// synced is the file, not the descriptor.
func (r *room) sync() error {
	return diskOp("sync", r.f.Name(), func() error { return syncData(r.f) })
}

// trim gives the room back, behind records that end at size.
func (r *room) trim(size int64) error {
	if r.end <= size {
		return nil
	}
	r.end = size
	return truncate(r.f, size)
}

// move is openRoom for the segment that follows.
func (r *room) move(dir string, first uint64) error {
	next, err := openRoom(dir, first, 0)
	if err != nil {
		return err
	}
	old := *r
	*r = *next
	return old.close()
}

func (r *room) close() error {
	if err := r.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close segment: %w", err)
	}
	return nil
}
