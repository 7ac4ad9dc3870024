package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// image is what a directory holds, found by reading only. Open acts on it,
// Verify and Inspect report it.
type image struct {
	header logHeader
	key    frameKey

	hint    watermark
	hintBad string // why there is no usable hint

	segs  []*segment
	lasts []header // of the last record of each segment, for Inspect
	batch uint64   // highest batch number seen
	// durable is the latest point proven durable by the hint or a record.
	durable watermark
	// torn says why the last segment file has bytes after its last record, and
	// fileSize where they end. Empty if it has none.
	torn     string
	fileSize int64
	// room is how many zeros follow the last record instead: written ahead, or the
	// trace of an interrupted write as well, which is the same.
	room int64
}

// examine verifies a whole log. Damage to what had been synced comes back as a
// *Fault, with what had been read so far; an interrupted last write does not.
func examine(dir string) (*image, error) {
	h, err := readLogHeader(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if lost := headerLost(dir); lost != nil {
			err = lost
		}
	}
	if err != nil {
		return nil, err
	}
	im := &image{header: h, key: newFrameKey(h.salt)}
	if im.hint, im.batch, im.hintBad, err = readHint(dir, im.key); err != nil {
		return im, err
	}
	if h.resetTo != 0 {
		// Nothing else in the directory counts.
		im.hint, im.hintBad = watermark{}, "a reset is under way"
		im.segs = []*segment{{first: h.resetTo}}
		return im, nil
	}
	firsts, err := listSegments(dir)
	if err != nil {
		return im, err
	}
	if len(firsts) == 0 {
		return im, &Fault{File: dir, Cause: "the log has a header but no segment"}
	}
	for i, first := range firsts {
		if err := im.addSegment(dir, first, i == len(firsts)-1); err != nil {
			return im, err
		}
	}
	return im, nil
}

// addSegment verifies the next segment file.
//
// A segment file is created only after the one before it has been synced, and
// its directory entry is synced before the next. So whatever is wrong before the
// last file, a hole between two files included, is damage to synced data.
func (im *image) addSegment(dir string, first uint64, last bool) error {
	if n := len(im.segs); n > 0 && im.segs[n-1].next() != first {
		prev := im.segs[n-1]
		return &Fault{File: segmentPath(dir, prev.first), Offset: prev.size,
			Cause: fmt.Sprintf("the file ends with entry %d, the next one, %s, starts with %d", prev.next()-1, segmentName(first), first)}
	}
	s, err := scanSegment(dir, im.key, first)
	if err != nil {
		return err
	}
	path := segmentPath(dir, first)
	if s.bad != "" && !last {
		return &Fault{File: path, Offset: s.size, Cause: s.bad + ", and it is not the last file"}
	}
	if last {
		if err := s.settle(dir, im.key); err != nil {
			return err
		}
	}
	im.segs = append(im.segs, &s.segment)
	im.lasts = append(im.lasts, s.last)
	if s.last.batch > im.batch {
		im.batch = s.last.batch
	}
	if !last {
		return nil
	}
	return im.judgeTail(dir, &s)
}

// settle looks for a proof that what follows the last good record had been synced,
// and scans on for as long as that is worth it: beside a member that runs, the
// record may have been written since it was found missing, and the proof after it.
func (s *scanned) settle(dir string, k frameKey) error {
	for s.bad != "" {
		o := s.size
		at, found, err := syncedBeyond(dir, k, s.first, o)
		if err != nil {
			return err
		}
		if err := s.scanOn(dir, k); err != nil {
			return err
		}
		if s.size == o {
			if found && s.bad != "" {
				s.proof = at
			}
			return nil
		}
	}
	return nil
}

// judgeTail decides whether what follows the last good record, at offset o, is
// the trace of an interrupted write or damage. It is damage if something proves
// that a sync completed beyond o: the hint, or the watermark of a later record.
// A later record alone proves nothing, because the sectors of one unsynced batch
// become durable in any order.
func (im *image) judgeTail(dir string, s *scanned) error {
	path, o := segmentPath(dir, s.first), s.size
	im.fileSize = s.fileSize
	if s.room {
		im.room = s.fileSize - o
	} else {
		im.torn = s.bad
	}
	if im.hint.segment > s.first {
		return &Fault{File: segmentPath(dir, im.hint.segment), Cause: fmt.Sprintf("the file is missing; entries up to %d had been synced", im.hint.index)}
	}
	if im.hint.beyond(s.first, o) {
		what := s.bad
		switch {
		case what == "":
			what = "the file ends here"
		case s.room:
			what = "only zeros follow"
		}
		return &Fault{File: path, Offset: o, Cause: fmt.Sprintf("%s, but entry %d, ending at offset %d, had been synced", what, im.hint.index, im.hint.offset)}
	}
	if s.proof > 0 {
		return &Fault{File: path, Offset: o, Cause: fmt.Sprintf("%s, but the record at offset %d was written after this had been synced", s.bad, s.proof)}
	}
	im.durable = watermark{segment: s.first}
	for _, w := range []watermark{im.hint, s.last.durable} {
		if w.segment == s.first && w.offset > im.durable.offset {
			im.durable = w
		}
	}
	return nil
}

// repair makes the last segment end with its last good record, and makes all
// that was found durable: a process that was killed, or whose sync failed, may
// have left bytes that can be read back but would not survive a power cut, and
// raft is about to count on them.
func (im *image) repair(dir string, logf func(string, ...any)) error {
	tail := im.segs[len(im.segs)-1]
	path := segmentPath(dir, tail.first)
	f, err := os.OpenFile(path, os.O_RDWR, fileMode)
	if err != nil {
		return fmt.Errorf("repair log: %w", err)
	}
	defer f.Close()
	if im.torn != "" {
		logf("wal: %s: offset %d: %s; no sync of it had completed: cutting off %d bytes after entry %d",
			path, tail.size, im.torn, im.fileSize-tail.size, tail.next()-1)
	}
	if im.fileSize > tail.size {
		// Zeros, too: tidwall/wal would take them for empty records.
		if err := truncate(f, tail.size); err != nil {
			return fmt.Errorf("cut what follows the last record: %w", err)
		}
	}
	if err := rewrite(f, im.durable.offset, tail.size); err != nil {
		return fmt.Errorf("repair log: %w", err)
	}
	if err := syncFile(f); err != nil {
		return fmt.Errorf("repair log: %w", err)
	}
	return syncDir(dir)
}

// rewrite writes the bytes of a file between two offsets over themselves. After
// a failed sync the system may hold them as clean although the disk never got
// them; a sync alone would then do nothing.
func rewrite(f *os.File, from, to int64) error {
	buf := make([]byte, min(to-from, 1<<20))
	for from < to {
		n, err := f.ReadAt(buf[:min(to-from, int64(len(buf)))], from)
		if err != nil && err != io.EOF {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		if err := writeAt(f, buf[:n], from); err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// startSegment creates an empty segment file durably. The one before it must be
// durable already. An existing empty file is taken over: it is left by a start
// that was interrupted right here.
func startSegment(dir string, first uint64) error {
	f, err := create(segmentPath(dir, first), 0)
	if err != nil {
		return fmt.Errorf("start segment: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("start segment: %w", err)
	}
	return syncDir(dir)
}

// finishReset carries out the reset that the header announces: remove
// everything, start an empty segment, take the announcement back. It can be
// stopped anywhere and begun again, because until the last step nothing but the
// announcement counts.
func finishReset(dir string, h logHeader) error {
	firsts, err := listSegments(dir)
	if err != nil {
		return err
	}
	for i := len(firsts) - 1; i >= 0; i-- {
		if err := remove(segmentPath(dir, firsts[i])); err != nil {
			return fmt.Errorf("reset log: %w", err)
		}
	}
	if err := remove(filepath.Join(dir, hintFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reset log: %w", err)
	}
	if err := startSegment(dir, h.resetTo); err != nil {
		return err
	}
	h.resetTo = 0
	return writeLogHeader(dir, h)
}
