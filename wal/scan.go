package wal

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// segment is what is known of one segment file: where each of its entries
// starts. Its entries are first, first+1, … without a hole.
type segment struct {
	first uint64
	offs  []uint32 // where the record (length and frame) of entry first+i starts
	size  int64    // bytes of these records
}

// next is the index after the segment's last entry.
func (s *segment) next() uint64 { return s.first + uint64(len(s.offs)) }

// end returns the offset at which the record of entry first+i ends.
func (s *segment) end(i int) int64 {
	if i+1 < len(s.offs) {
		return int64(s.offs[i+1])
	}
	return s.size
}

const segmentNameLen = 20

func segmentName(first uint64) string { return fmt.Sprintf("%020d", first) }

func segmentPath(dir string, first uint64) string { return filepath.Join(dir, segmentName(first)) }

// listSegments returns the first indices of the segment files in a directory, in
// ascending order. tidwall/wal finishes truncations of its own on names that it
// gives to half-done ones; this package never leaves such, so they are foreign.
func listSegments(dir string) ([]uint64, error) {
	files, err := os.ReadDir(dir) // sorted by name, and so by index
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var firsts []uint64
	for _, f := range files {
		name := f.Name()
		if len(name) < segmentNameLen || strings.Trim(name[:segmentNameLen], "0123456789") != "" {
			continue
		}
		first, err := strconv.ParseUint(name[:segmentNameLen], 10, 64)
		if err != nil || first == 0 || len(name) > segmentNameLen || f.IsDir() {
			return nil, &Fault{File: filepath.Join(dir, name), Cause: "not a file that this log has written"}
		}
		firsts = append(firsts, first)
	}
	return firsts, nil
}

// scanned is what reading one segment file from its start found.
type scanned struct {
	segment
	fileSize int64
	bad      string // why the bytes at size are no record; empty if the file ends there
	room     bool   // all of these bytes are zeros, up to the end of the file
	proof    int64  // where a record says that they had been synced, 0: nowhere; see settle
	last     header // of the last record, zero if there is none
}

// scanSegment verifies a segment file record by record, in memory bounded by the
// largest record. What is wrong with the content is part of the result; an error
// means that the file could not be read, which proves nothing about it.
func scanSegment(dir string, k frameKey, first uint64) (scanned, error) {
	s := scanned{segment: segment{first: first}}
	err := s.scanOn(dir, k)
	return s, err
}

// scanOn verifies what follows the last good record, as the file holds it by now:
// what was bad a moment ago may since have been written, by a member that runs.
func (s *scanned) scanOn(dir string, k frameKey) error {
	f, err := os.Open(segmentPath(dir, s.first))
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	s.fileSize, s.bad, s.room = fi.Size(), "", false
	r := bufio.NewReaderSize(io.NewSectionReader(f, s.size, s.fileSize-s.size), 128<<10)
	var buf []byte
	for s.bad == "" && s.size < s.fileSize {
		if buf, err = s.scanRecord(r, k, buf); err != nil {
			return fmt.Errorf("read segment %s: %w", f.Name(), err)
		}
	}
	if s.bad != "" {
		if s.room, err = onlyZeros(io.NewSectionReader(f, s.size, s.fileSize-s.size)); err != nil {
			return fmt.Errorf("read segment %s: %w", f.Name(), err)
		}
	}
	return nil
}

// onlyZeros reads until something else comes.
func onlyZeros(r io.Reader) (bool, error) {
	buf := make([]byte, len(zeros))
	for {
		n, err := r.Read(buf)
		if !bytes.Equal(buf[:n], zeros[:n]) {
			return false, nil
		}
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// scanRecord reads the next record and either adds it or sets bad.
func (s *scanned) scanRecord(r *bufio.Reader, k frameKey, buf []byte) ([]byte, error) {
	left := s.fileSize - s.size
	prefix, err := r.Peek(int(min(left, maxPrefixBytes+1)))
	if err != nil {
		return buf, err
	}
	n, width, bad := decodePrefix(prefix)
	switch {
	case bad != "":
	case int64(width+n) > left:
		bad = "record goes on beyond the end of the file"
	case s.size > math.MaxUint32:
		bad = "file is longer than a segment can be"
	}
	if bad != "" {
		s.bad = bad
		return buf, nil
	}
	if _, err := r.Discard(width); err != nil {
		return buf, err
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return buf, err
	}
	h, bad := decodeFrame(buf[:n], k, s.first, s.size+int64(width), s.next())
	if bad != "" {
		s.bad = bad
		return buf, nil
	}
	s.last = h
	s.offs = append(s.offs, uint32(s.size))
	s.size += int64(width + n)
	return buf, nil
}

// syncedBeyond searches a segment file, from the first bad byte at offset from,
// for the header of a later record that says that byte had been synced when it
// was written. It returns that record's offset.
//
// Only headers are checked: one that passes was written by this log at exactly
// this place, so what it says was true, whether or not its data has survived.
func syncedBeyond(dir string, k frameKey, first uint64, from int64) (at int64, found bool, err error) {
	f, err := os.Open(segmentPath(dir, first))
	if err != nil {
		return 0, false, fmt.Errorf("search segment: %w", err)
	}
	defer f.Close()
	window := make([]byte, 1<<20)
	for pos := from; ; {
		n, err := f.ReadAt(window, pos)
		if err != nil && err != io.EOF {
			return 0, false, fmt.Errorf("search segment: %w", err)
		}
		w := window[:n]
		for i := 0; i+headerBytes <= n; i++ {
			j := bytes.Index(w[i:n-headerBytes+len(frameMagic)], []byte(frameMagic))
			if j < 0 {
				break
			}
			i += j
			h, bad := decodeHeader(w[i:i+headerBytes], k, first, pos+int64(i))
			if bad == "" && h.durable.beyond(first, from) {
				return pos + int64(i), true, nil
			}
		}
		if n < len(window) {
			return 0, false, nil
		}
		pos += int64(n - headerBytes + 1)
	}
}
