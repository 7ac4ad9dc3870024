package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"holdfast/sim"
)

// ledger is a file of the green seeds of a sweep, a line of JSON each behind one that says of which sweep they are. With it a
// sweep of hours that was interrupted goes on where it was. Seeds that were red or undecided are not in it: they are played
// again, and tell again what is wrong.
type ledger struct {
	file  *os.File
	usual time.Duration     // of the sweep's own seeds
	done  map[entryID]entry // read by key only
}

// entryID says which run an entry is about: a seed of the corpus has members and a length of its own.
type entryID struct {
	seed     uint64
	nodes    int
	duration time.Duration
}

func (s *scenario) id() entryID { return entryID{s.seed, s.nodes, s.duration} }

// ledgerHead says what all of a ledger's seeds were played with. Seeds of another module, or of another length, are of
// another sweep.
type ledgerHead struct {
	Module string `json:"module"` // its hash
	// Commit is of the simulator: what a seed draws is decided there.
	Commit string `json:"commit"`
	Flags  string `json:"flags"` // of every seed
}

// entry is one green seed.
type entry struct {
	CPU time.Duration `json:"cpu_nanos"`
	// Duration is how long clients worked; 0: as the flags say.
	Duration time.Duration `json:"duration_nanos,omitempty"`
	Report   *report       `json:"report"`
}

// openLedger opens the ledger of a sweep, whose seeds usually have a length, or begins it. A last line that was cut off is put
// away.
func openLedger(name string, head ledgerHead, usual time.Duration) (*ledger, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, usagef("resume: %w; name a file that can be written", err)
	}
	l := &ledger{file: f, usual: usual, done: map[entryID]entry{}}
	if err = l.read(name, head); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

func (l *ledger) read(name string, head ledgerHead) error {
	whole, err := readLines(l.file, func(line []byte, n int) error { return l.take(line, n == 1, head) })
	if err != nil {
		return usagef("resume: %s: %w; name the ledger of this sweep, or a new file", name, err)
	}
	if info, err := l.file.Stat(); err == nil && whole == 0 && info.Size() > 0 {
		return usagef("resume: %s: no ledger; name the ledger of this sweep, or a new file", name)
	}
	err = l.file.Truncate(whole)
	if err == nil {
		_, err = l.file.Seek(whole, io.SeekStart)
	}
	if err == nil && whole == 0 {
		err = l.write(head)
	}
	if err != nil {
		return fmt.Errorf("resume: %s: %w", name, err)
	}
	return nil
}

// readLines gives a ledger's lines to take, counted from 1, and tells how many bytes they have. What comes behind the last
// whole line was being written when a sweep ended.
func readLines(r io.Reader, take func(line []byte, n int) error) (whole int64, err error) {
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err == nil {
			err = take(line, n)
		}
		if err != nil {
			return whole, fmt.Errorf("line %d: %w", n, err)
		}
		whole += int64(len(line))
	}
}

// take takes in a line, the first of which is the head.
func (l *ledger) take(line []byte, first bool, head ledgerHead) error {
	if first {
		var found ledgerHead
		if err := json.Unmarshal(line, &found); err != nil {
			return err
		}
		if found != head {
			return fmt.Errorf("it is of module %q, commit %q and %q, not of %q, %q and %q",
				found.Module, found.Commit, found.Flags, head.Module, head.Commit, head.Flags)
		}
		return nil
	}
	e, err := readEntry(line, l.usual)
	if err == nil {
		l.done[e.id()] = e
	}
	return err
}

// readEntry reads the line of a seed; its length is given unless it has one of its own.
func readEntry(line []byte, usual time.Duration) (e entry, err error) {
	if err = json.Unmarshal(line, &e); err == nil && (e.Report == nil || e.Report.Verdict != sim.VerdictOK) {
		err = errors.New("not a green seed")
	}
	e.Duration = cmp.Or(e.Duration, usual)
	return e, err
}

func (e *entry) id() entryID { return entryID{uint64(e.Report.Seed), e.Report.Nodes, e.Duration} }

// outcome is what the ledger has of a seed.
func (l *ledger) outcome(s scenario) (outcome, bool) {
	if l == nil {
		return outcome{}, false
	}
	e, ok := l.done[s.id()]
	return outcome{scenario: s, report: e.Report, cpu: e.CPU}, ok
}

// add writes a green seed down, and nothing of others.
func (l *ledger) add(o *outcome) error {
	if l == nil || o.verdict() != sim.VerdictOK {
		return nil
	}
	if _, known := l.done[o.scenario.id()]; known {
		return nil
	}
	e := entry{CPU: o.cpu, Report: o.report}
	if o.scenario.duration != l.usual {
		e.Duration = o.scenario.duration
	}
	if err := l.write(e); err != nil {
		return fmt.Errorf("ledger: seed 0x%x: %w", o.scenario.seed, err)
	}
	return nil
}

func (l *ledger) write(line any) error {
	text, err := json.Marshal(line)
	if err == nil {
		_, err = l.file.Write(append(text, '\n'))
	}
	return err
}

func (l *ledger) close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// head is the ledger's of this sweep.
func (sw *sweep) head() ledgerHead {
	return ledgerHead{Module: sw.module, Commit: commit(), Flags: strings.Join(sw.scenario.flags(), " ")}
}
