package main

import (
	"bufio"
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
	file *os.File
	done map[uint64]entry // read by seed only
}

// ledgerHead says what all of a ledger's seeds were played with. Seeds of another module, or of another length, are of
// another sweep.
type ledgerHead struct {
	Module string `json:"module"` // its hash
	Flags  string `json:"flags"`  // of every seed
}

// entry is one green seed.
type entry struct {
	CPU    time.Duration `json:"cpu_nanos"`
	Report *report       `json:"report"`
}

// openLedger opens the ledger of a sweep, or begins it. A last line that was cut off is put away.
func openLedger(name string, head ledgerHead) (*ledger, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, usagef("resume: %w; name a file that can be written", err)
	}
	l := &ledger{file: f, done: map[uint64]entry{}}
	if err = l.read(name, head); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

func (l *ledger) read(name string, head ledgerHead) error {
	in, whole := bufio.NewReader(l.file), int64(0)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("resume: %s: %w", name, err)
		}
		if err != nil { // what comes behind the last whole line was being written when the sweep ended
			break
		}
		if err := l.take(line, n == 1, head); err != nil {
			return usagef("resume: %s: line %d: %w; name the ledger of this sweep, or a new file", name, n, err)
		}
		whole += int64(len(line))
	}
	err := l.file.Truncate(whole)
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

// take takes in a line, the first of which is the head.
func (l *ledger) take(line []byte, first bool, head ledgerHead) error {
	if first {
		var found ledgerHead
		if err := json.Unmarshal(line, &found); err != nil {
			return err
		}
		if found != head {
			return fmt.Errorf("it is of module %q and %q, not of %q and %q", found.Module, found.Flags, head.Module, head.Flags)
		}
		return nil
	}
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	if e.Report == nil || e.Report.Verdict != sim.VerdictOK {
		return errors.New("not a green seed")
	}
	l.done[uint64(e.Report.Seed)] = e
	return nil
}

// outcome is what the ledger has of a seed.
func (l *ledger) outcome(s scenario) (outcome, bool) {
	if l == nil {
		return outcome{}, false
	}
	e, ok := l.done[s.seed]
	return outcome{scenario: s, report: e.Report, cpu: e.CPU}, ok
}

// add writes a green seed down, and nothing of others.
func (l *ledger) add(o *outcome) error {
	if l == nil || o.verdict() != sim.VerdictOK {
		return nil
	}
	if _, known := l.done[o.scenario.seed]; known {
		return nil
	}
	if err := l.write(entry{CPU: o.cpu, Report: o.report}); err != nil {
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
	return ledgerHead{Module: sw.module, Flags: strings.Join(sw.scenario.flags(), " ")}
}
