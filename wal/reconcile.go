package wal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/raft"
)

// Reconcile makes log and snapshots agree. It must be called each time before
// raft.NewRaft, also when a raft is rebuilt in process; it reads the newest
// snapshot whole.
//
// A power cut between a snapshot and the log's part in it leaves the two apart,
// and raft notices too late or never:
//
//   - the newest intact snapshot lies beyond the log's end, or the log has another
//     term at its index: the log holds nothing that is still needed, and would
//     refuse what comes next. It is reset to start after the snapshot.
//   - no intact snapshot reaches the entry before the log's first, or a newer
//     snapshot is damaged and the log does not hold what it held: entries and
//     votes that others count on are lost. ErrNotWhole; the member must not start.
//   - a newer snapshot is damaged, but the log holds all of it: it is set aside.
func Reconcile(l *Log, s *Snapshots) error {
	p, err := planReconcile(s.dir, l)
	if err != nil {
		return fmt.Errorf("reconcile log and snapshots: %w", err)
	}
	for _, d := range p.damaged {
		s.logf("wal: snapshot %s is set aside, the log holds all of it: %v", d.id, d.fault)
		if err := s.quarantine(d.id); err != nil {
			return fmt.Errorf("reconcile log and snapshots: %w", err)
		}
	}
	if p.resetTo == 0 {
		return nil
	}
	l.o.Logf("wal: %s", p.why)
	if err := l.Reset(p.resetTo); err != nil {
		return fmt.Errorf("reconcile log and snapshots: %w", err)
	}
	return nil
}

// extent is what the plan must know of a log.
type extent interface {
	bounds() (first, next uint64)
	GetLog(index uint64, out *raft.Log) error
}

// plan is what Reconcile has to do.
type plan struct {
	base    *stored  // newest intact snapshot, nil if there is none
	damaged []stored // newer than base, but held by the log
	resetTo uint64   // 0 if the log stays as it is
	why     string
}

func planReconcile(snapDir string, l extent) (p plan, err error) {
	found, err := scanSnapshots(snapDir)
	if err != nil {
		return p, err
	}
	for i := range found {
		c := &found[i]
		if c.fault == nil {
			c.fault = checkSnapshot(snapDir, c.id)
		}
		if c.fault == nil {
			p.base = c
			break
		}
		if !errors.Is(c.fault, ErrCorrupt) {
			return p, c.fault
		}
		p.damaged = append(p.damaged, *c)
	}
	if err := p.checkStart(l); err != nil {
		return p, err
	}
	if err := p.decideReset(l); err != nil {
		return p, err
	}
	for _, d := range p.damaged {
		held, err := sameTerm(l, d.id)
		if err != nil {
			return p, err
		}
		if !held || p.resetTo != 0 {
			return p, p.notWhole(fmt.Sprintf("snapshot %s is damaged, and neither an older snapshot nor the log holds its entries", d.id))
		}
	}
	return p, nil
}

// checkStart verifies that there is no hole between snapshot and log.
func (p *plan) checkStart(l extent) error {
	first, _ := l.bounds()
	var base uint64
	if p.base != nil {
		base = p.base.id.index
	}
	if base+1 >= first {
		return nil
	}
	return p.notWhole(fmt.Sprintf("the log starts with entry %d, and no intact snapshot reaches entry %d (the newest ends with %d)", first, first-1, base))
}

func (p *plan) decideReset(l extent) error {
	if p.base == nil {
		return nil
	}
	id := p.base.id
	first, next := l.bounds()
	if id.index >= next {
		p.resetTo = id.index + 1
		p.why = fmt.Sprintf("snapshot %s lies beyond the log's end, %d: the log starts anew with entry %d", id, next-1, p.resetTo)
		return nil
	}
	if id.index < first {
		return nil // the entry before the first: nothing to compare
	}
	same, err := sameTerm(l, id)
	if err == nil && !same {
		p.resetTo = id.index + 1
		p.why = fmt.Sprintf("the log has another term than snapshot %s at its index: the log starts anew with entry %d", id, p.resetTo)
	}
	return err
}

// sameTerm reports whether the log holds the last entry of a snapshot.
func sameTerm(l extent, id snapID) (bool, error) {
	var e raft.Log
	err := l.GetLog(id.index, &e)
	if errors.Is(err, raft.ErrLogNotFound) {
		return false, nil
	}
	return err == nil && e.Term == id.term, err
}

// notWhole words the refusal to start.
func (p *plan) notWhole(why string) error {
	var b strings.Builder
	for _, d := range p.damaged {
		fmt.Fprintf(&b, "; snapshot %s: %v", d.id, d.fault)
	}
	return fmt.Errorf("%w: %s: this member must not start, it would forget entries and votes that the others count on; %s%s", ErrNotWhole, why, faultRemedy, b.String())
}
