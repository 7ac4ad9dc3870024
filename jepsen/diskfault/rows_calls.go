//go:build unix

package diskfault

import (
	"fmt"

	"holdfast/wal/faults"
)

// Sections of docs/recovery.md, as their headings are.
const (
	couldNotBeWritten = "The log could not be written"
	cannotStart       = "The disk fails during the start"
	snapshotNotTaken  = "A snapshot could not be taken"
	interrupted       = "An interrupted write: repaired, nothing to do"
	logDamaged        = "The log is damaged"
	logMissing        = "The log is missing"
	voteDamaged       = "Term and vote are missing or damaged"
	notNeeded         = "A snapshot is damaged, and not needed"
	needed            = "A snapshot is damaged or missing, and needed"
	idDamaged         = "The id is damaged or missing"
	notTold           = "What cannot be told"
	nothingToDo       = "Nothing to do"
	raftMissing       = "The whole of `raft/` is missing"
)

// spoken is how the system words an error.
var spoken = map[faults.Action]string{faults.NoSpace: "no space left on device", faults.IOError: "input/output error"}

// segments is the pattern of the log's segment files.
const segments = "raft/log/0*"

// fails gives a row in which one operation fails.
func fails(fault string, expect Outcome, section string, r faults.Rule, words string) Row {
	return Row{Fault: fmt.Sprintf("%s: %s", r.Do, fault), From: stopped, Rules: []faults.Rule{r},
		Expect: expect, Words: []string{words, spoken[r.Do]}, Section: section}
}

// each gives a row for either way to fail.
func each(fault string, expect Outcome, section string, r faults.Rule, words string) (rows []Row) {
	for _, r.Do = range []faults.Action{faults.NoSpace, faults.IOError} {
		rows = append(rows, fails(fault, expect, section, r, words))
	}
	return rows
}

func join(parts ...[]Row) (rows []Row) {
	for _, p := range parts {
		rows = append(rows, p...)
	}
	return rows
}

// logRows are about the log's own operations. A count that is not small is not
// reached before the member serves.
var logRows = join(
	each("write of log records", Dies, couldNotBeWritten, faults.Rule{Op: "append", Nth: 30}, "fatal: log is poisoned by a failed write: store entries: write:"),
	each("sync of the log", Dies, couldNotBeWritten, faults.Rule{Op: "sync", Path: segments, Nth: 30}, "fatal: log is poisoned by a failed write: store entries: sync:"),
	each("write of zeros ahead of the log", Dies, couldNotBeWritten, faults.Rule{Op: "write", Path: segments, Nth: 2}, "fatal: log is poisoned by a failed write: store entries: write ahead:"),
	each("sync of a segment that is full", Dies, couldNotBeWritten, faults.Rule{Op: "fill", Nth: 2}, "fatal: log is poisoned by a failed write: store entries: write:"),
	each("sync of the log's directory", Dies, couldNotBeWritten, faults.Rule{Op: "syncdir", Path: "raft/log", Nth: 5}, "sync directory"),
	each("write of the hint", Dies, couldNotBeWritten, faults.Rule{Op: "write", Path: "raft/log/hint", Nth: 30}, "fatal: log is poisoned by a failed write: store entries: write hint:"),
	each("removal of an old segment", Dies, couldNotBeWritten, faults.Rule{Op: "remove", Path: segments, Nth: 1}, "fatal: log is poisoned by a failed write: delete oldest segments: remove segment:"),
	each("sync of the log at the start", Refuses, cannotStart, faults.Rule{Op: "sync", Path: segments, Nth: 1}, "open log: open log: make what was found durable: repair log:"),
	each("sync of the log's directory at the start", Refuses, cannotStart, faults.Rule{Op: "syncdir", Path: "raft/log", Nth: 1}, "open log: open log: make what was found durable: sync directory"),
	each("opening of the hint", Refuses, cannotStart, faults.Rule{Op: "create", Path: "raft/log/hint", Nth: 1}, "open log: open log: open hint:"),
)

// stableRows are about term and vote: written again at the start, and whenever
// they change, as at the election that follows.
func stableRows() (rows []Row) {
	for _, o := range []struct {
		op, path, what string
		again          int // which of these operations comes while it runs
	}{
		{"write", "raft/stable/stable.tmp", "write", 2},
		{"sync", "raft/stable/stable.tmp", "sync", 2},
		{"rename", "raft/stable/stable", "rename", 2},
		{"syncdir", "raft/stable", "sync of the directory", 2},
	} {
		at := faults.Rule{Op: o.op, Path: o.path, Nth: 1}
		rows = append(rows, each(o.what+" of term and vote at the start", Refuses, cannotStart, at, "open term and vote: open stable store: write stable record:")...)
		at.Nth = o.again
		rows = append(rows, each(o.what+" of term and vote", Dies, couldNotBeWritten, at, "write stable record:")...)
	}
	return rows
}

// snapshotRows are about snapshots: without one the log grows, and that is all.
func snapshotRows() []Row {
	snapshot := func(what, op, path string) []Row {
		return each(what, Starts, snapshotNotTaken, faults.Rule{Op: op, Path: path, Nth: 1}, "snapshot: not taken, the next check tries again:")
	}
	return join(
		snapshot("directory of a snapshot", "mkdir", "raft/snapshots/*.tmp"),
		snapshot("write of a snapshot", "write", "raft/snapshots/*/state"),
		snapshot("sync of a snapshot", "sync", "raft/snapshots/*/state"),
		snapshot("description of a snapshot", "write", "raft/snapshots/*/meta"),
		snapshot("rename of a snapshot", "rename", "raft/snapshots/*[0-9]"),
		each("sync of the snapshots' directory at the start", Refuses, cannotStart, faults.Rule{Op: "syncdir", Path: "raft/snapshots", Nth: 1}, "open snapshots: open snapshots: sync directory"),
	)
}

// firstStartRows are about a member that is being made: the next start makes it
// as if nothing had been.
func firstStartRows() []Row {
	rows := join(
		each("first start: directory raft", Refuses, cannotStart, faults.Rule{Op: "mkdir", Path: "raft", Nth: 1}, "data directory:"),
		each("first start: LOCK", Refuses, "The disk is full", faults.Rule{Op: "write", Path: "LOCK", Nth: 1}, "lock:"),
		each("first start: id", Refuses, cannotStart, faults.Rule{Op: "write", Path: "raft/id.tmp", Nth: 1}, "identity:"),
		each("first start: sync of the id", Refuses, cannotStart, faults.Rule{Op: "sync", Path: "raft/id.tmp", Nth: 1}, "identity:"),
		each("first start: rename of the id, started", Refuses, cannotStart, faults.Rule{Op: "rename", Path: "raft/id", Nth: 2}, "identity:"),
		each("first start: header", Refuses, cannotStart, faults.Rule{Op: "write", Path: "raft/log/header.tmp", Nth: 1}, "write header of the log:"),
		each("first start: first segment", Refuses, cannotStart, faults.Rule{Op: "create", Path: segments, Nth: 1}, "start segment:"),
	)
	for i := range rows {
		rows[i].From = empty
	}
	return rows
}

// hangRows are disks that never answer. The process still ends; one that hangs
// in the system itself goes when that lets it.
var hangRows = []Row{
	{Fault: "the sync of the log hangs", From: stopped, Rules: []faults.Rule{{Op: "sync", Path: segments, Nth: 30, Do: faults.Hang}},
		Expect: Dies, Words: []string{"fatal: log is poisoned by a failed write: store entries: the disk has not answered within 10s"}, Section: couldNotBeWritten},
	{Fault: "the write of log records hangs", From: stopped, Rules: []faults.Rule{{Op: "append", Nth: 30, Do: faults.Hang}},
		Expect: Dies, Words: []string{"fatal: log is poisoned by a failed write: store entries: the disk has not answered within 10s"}, Section: couldNotBeWritten},
	{Fault: "the sync of term and vote hangs", From: stopped, Rules: []faults.Rule{{Op: "sync", Path: "raft/stable/stable.tmp", Nth: 2, Do: faults.Hang}},
		Expect: Dies, Words: []string{"write stable record:", "the disk has not answered within 10s"}, Section: couldNotBeWritten},
	{Fault: "the sync of term and vote hangs at the start", From: stopped, Rules: []faults.Rule{{Op: "sync", Path: "raft/stable/stable.tmp", Nth: 1, Do: faults.Hang}},
		Expect: Refuses, Words: []string{"write stable record:", "the disk has not answered within 10s"}, Section: cannotStart},
	{Fault: "the sync of the log hangs at the start", From: stopped, Rules: []faults.Rule{{Op: "sync", Path: segments, Nth: 1, Do: faults.Hang}},
		Expect: Refuses, Words: []string{"open log: open log: make what was found durable: the disk has not answered within 10s"}, Section: cannotStart},
}
