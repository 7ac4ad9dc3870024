package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/raft"
)

// Report is what Verify found.
type Report struct {
	FirstIndex uint64 // oldest entry of the log, 0 if there is none
	LastIndex  uint64 // newest entry of the log, 0 if there is none
	Segments   int    // segment files
	Bytes      int64  // of all entries in them
	Torn       string // trace of an interrupted write that the next start cuts off, or empty
	Reset      uint64 // where the log starts when the next start has finished its reset, or 0
	Term       uint64 // CurrentTerm of the stable store
	Snapshots  []string
	Notes      []string // what the next start would put right
}

// Verify reads everything under dir, a data directory or its raft directory, and
// returns the first damage as a *Fault naming file and offset. It changes
// nothing. On a member that runs it may take an entry that is being written for
// the trace of an interrupted write.
func Verify(dir string) (Report, error) {
	root, err := raftDir(dir)
	if err != nil {
		return Report{}, fmt.Errorf("verify: %w", err)
	}
	r, err := verify(root)
	if err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	return r, nil
}

func verify(root string) (r Report, err error) {
	logDir := filepath.Join(root, "log")
	im, err := examine(logDir)
	if im != nil {
		r.addLog(im)
	}
	if err != nil {
		return r, err
	}
	path := filepath.Join(root, "stable", stableFile)
	rec, err := readStable(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // a first start that was cut short
		if r.LastIndex > 0 {
			err = &Fault{File: path, Cause: fmt.Sprintf("term and vote are missing beside a log that reaches entry %d", r.LastIndex)}
		}
	}
	if err != nil {
		return r, err
	}
	if v := rec.values["CurrentTerm"]; len(v) == 8 {
		r.Term = be64(v)
	}
	snapDir := filepath.Join(root, "snapshots")
	found, err := scanSnapshots(snapDir)
	if err != nil {
		return r, err
	}
	for _, f := range found {
		r.Snapshots = append(r.Snapshots, f.id.String())
	}
	plan, err := planReconcile(snapDir, &logFiles{dir: logDir, im: im})
	if err != nil {
		return r, err
	}
	if plan.resetTo != 0 {
		r.Notes = append(r.Notes, plan.why)
	}
	if len(plan.damaged) > 0 {
		return r, plan.damaged[0].fault
	}
	for _, f := range found {
		if err := checkSnapshot(snapDir, f.id); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *Report) addLog(im *image) {
	r.Segments = len(im.segs)
	for _, s := range im.segs {
		r.Bytes += s.size
	}
	if n := len(im.segs); n > 0 && im.segs[n-1].next() > im.segs[0].first {
		r.FirstIndex, r.LastIndex = im.segs[0].first, im.segs[n-1].next()-1
	}
	r.Torn, r.Reset = im.torn, im.header.resetTo
}

// Inspect writes what is under dir, a data directory or its raft directory, in
// words: each file, what it holds, what is wrong with it. It changes nothing.
// The error is that of the first thing that could not be read or is damaged.
func Inspect(w io.Writer, dir string) error {
	root, err := raftDir(dir)
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	p := &printer{w: w}
	for _, part := range []func(string) error{p.log, p.stable, p.snapshots} {
		if ferr := part(root); ferr != nil {
			p.printf("  FAULT: %v\n", ferr)
			if err == nil {
				err = fmt.Errorf("inspect: %w", ferr)
			}
		}
	}
	if p.err != nil {
		return fmt.Errorf("inspect: %w", p.err)
	}
	return err
}

// printer remembers the first failed write.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) log(root string) error {
	dir := filepath.Join(root, "log")
	p.printf("log %s\n", dir)
	im, err := examine(dir)
	if im == nil {
		return err
	}
	if im.header.resetTo != 0 {
		p.printf("  being reset to start with entry %d; everything else here is void\n", im.header.resetTo)
		return err
	}
	for i, s := range im.segs {
		last := header{}
		if i < len(im.lasts) {
			last = im.lasts[i]
		}
		p.printf("  %s: %d entries, %d bytes", segmentName(s.first), len(s.offs), s.size)
		if len(s.offs) > 0 {
			p.printf(", %d to %d, last of term %d in batch %d", s.first, s.next()-1, last.term, last.batch)
		}
		p.printf("\n")
	}
	if im.torn != "" {
		p.printf("  torn at offset %d: %s; no sync had completed, the next start cuts off %d bytes\n",
			im.segs[len(im.segs)-1].size, im.torn, im.fileSize-im.segs[len(im.segs)-1].size)
	}
	if im.room > 0 {
		p.printf("  room: %d bytes of zeros behind the last record\n", im.room)
	}
	if im.hintBad != "" {
		p.printf("  hint: unusable: %s\n", im.hintBad)
	} else {
		p.printf("  hint: synced up to entry %d, offset %d of %s\n", im.hint.index, im.hint.offset, segmentName(im.hint.segment))
	}
	return err
}

func (p *printer) stable(root string) error {
	path := filepath.Join(root, "stable", stableFile)
	p.printf("stable %s\n", path)
	rec, err := readStable(path)
	if err != nil {
		return err
	}
	p.printf("  record %d\n", rec.gen)
	for _, k := range slices.Sorted(maps.Keys(rec.values)) {
		if v := rec.values[k]; len(v) == 8 {
			p.printf("  %s: %d\n", k, be64(v))
		} else {
			p.printf("  %s: %q\n", k, v)
		}
	}
	return nil
}

func (p *printer) snapshots(root string) error {
	dir := filepath.Join(root, "snapshots")
	p.printf("snapshots %s\n", dir)
	found, err := scanSnapshots(dir)
	var first error
	for _, f := range found {
		if f.fault == nil {
			f.fault = checkSnapshot(dir, f.id)
		}
		if f.fault != nil {
			p.printf("  %s: %v\n", f.id, f.fault)
			if first == nil {
				first = f.fault
			}
			continue
		}
		p.printf("  %s: index %d, term %d, %d bytes, %d servers\n", f.id, f.meta.Index, f.meta.Term, f.meta.Size, len(f.meta.Configuration.Servers))
	}
	return errors.Join(err, first)
}

// raftDir finds the directory that holds log, stable and snapshots.
func raftDir(dir string) (string, error) {
	for _, root := range []string{filepath.Join(dir, "raft"), dir} {
		fi, err := os.Stat(filepath.Join(root, "log"))
		if err == nil && fi.IsDir() {
			return root, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: neither it nor its directory raft has a directory log; name a data directory", dir)
}

// logFiles is a log as it lies on disk, for planReconcile.
type logFiles struct {
	dir string
	im  *image
}

func (l *logFiles) bounds() (first, next uint64) {
	segs := l.im.segs
	return segs[0].first, segs[len(segs)-1].next()
}

func (l *logFiles) GetLog(index uint64, out *raft.Log) error {
	s, i := find(l.im.segs, index)
	if s == nil {
		return raft.ErrLogNotFound
	}
	run, err := readRun(l.dir, l.im.key, index, s.place(i, 0))
	if err != nil {
		return err
	}
	*out = run[0]
	return nil
}
