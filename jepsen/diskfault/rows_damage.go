//go:build unix

package diskfault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// edit changes the content of a file of the data directory.
func edit(name string, change func([]byte) []byte) func(string) error {
	return func(dir string) error { return editFile(filepath.Join(dir, name), change) }
}

func editFile(path string, change func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, change(b), 0o600)
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		if at < 0 {
			at += len(b)
		}
		b[at] ^= 0x40
		return b
	}
}

// records does something to a segment without the zeros that are written ahead of
// its records, which are what is left then.
func records(change func([]byte) []byte) func([]byte) []byte {
	return func(b []byte) []byte { return change(bytes.TrimRight(b, "\x00")) }
}

func shorten(by int) func([]byte) []byte {
	return func(b []byte) []byte { return b[:len(b)-by] }
}

// remove removes a file or a directory with what is in it.
func remove(name string) func(string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			return err
		}
		return os.RemoveAll(path)
	}
}

func both(first, second func(string) error) func(string) error {
	return func(dir string) error { return errors.Join(first(dir), second(dir)) }
}

// nth names a file of a pattern, counted from the end if below 0.
func nth(dir, pattern string, n int) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err == nil && n < 0 {
		n += len(names)
	}
	if err == nil && (n < 0 || n >= len(names)) {
		err = fmt.Errorf("%s has %d files only", pattern, len(names))
	}
	if err != nil {
		return "", err
	}
	return names[n], nil
}

// segment does something to a segment file, counted from the end if below 0.
func segment(n int, do func(path string) error) func(string) error {
	return func(dir string) error {
		path, err := nth(dir, segments, n)
		if err != nil {
			return err
		}
		return do(path)
	}
}

func editSegment(n int, change func([]byte) []byte) func(string) error {
	return segment(n, func(path string) error { return editFile(path, change) })
}

// editSnapshots changes a file of snapshots from the nth on, counted from the end
// if below 0.
func editSnapshots(n int, file string, change func([]byte) []byte) func(string) error {
	return func(dir string) error {
		names, err := filepath.Glob(filepath.Join(dir, "raft/snapshots/*", file))
		if n < 0 {
			n += len(names)
		}
		if err != nil || n < 0 || n >= len(names) {
			return errors.Join(err, fmt.Errorf("%d snapshots only", len(names)))
		}
		for _, name := range names[n:] {
			if err := editFile(name, change); err != nil {
				return err
			}
		}
		return nil
	}
}

// The disk kept its word, and the process was killed in the midst of a write.
var (
	loseHint = remove("raft/log/hint")

	lastGone = "without the last acknowledged writes"
	allGone  = "empty"

	tailRows = []Row{
		{Fault: "killed between a write and its sync", From: killed, Expect: Starts, Section: interrupted},
		{Fault: "bit flip above the watermark", From: killed, Damage: editSegment(-1, records(flip(-10))),
			Expect: Starts, Words: []string{"no sync of it had completed: cutting off"}, Section: interrupted},
		{Fault: "torn tail", From: killed, Damage: editSegment(-1, records(shorten(10))),
			Expect: Starts, Words: []string{"no sync of it had completed: cutting off"}, Section: interrupted},
		{Fault: "zeros behind the end", From: stopped, Damage: editSegment(-1, func(b []byte) []byte { return append(b, make([]byte, 4096)...) }),
			Expect: Starts, Section: interrupted},
		{Fault: "zeros in the place of the last record, which no sync had reached", From: killed, Damage: editSegment(-1, func(b []byte) []byte {
			clear(b[len(bytes.TrimRight(b, "\x00"))-10:])
			return b
		}), Expect: Starts, Words: []string{"no sync of it had completed: cutting off"}, Section: interrupted},
		{Fault: "garbage behind the end", From: stopped, Damage: editSegment(-1, func(b []byte) []byte { return append(b, "garbage, garbage, garbage"...) }),
			Expect: Starts, Words: []string{"no sync of it had completed: cutting off"}, Section: interrupted},
		{Fault: "the last record cut off, and the hint lost", From: stopped, Damage: both(loseHint, editSegment(-1, shorten(10))),
			Expect: Starts, Words: []string{"no sync of it had completed: cutting off"}, Loses: lastGone, Section: notTold},
	}

	damageRows = []Row{
		{Fault: "bit flip below the watermark, in the last segment", From: stopped, Damage: editSegment(-1, flip(120)),
			Expect: Refuses, Words: []string{"data on disk is corrupt", "had been synced"}, Verify: "had been synced", Section: logDamaged},
		{Fault: "bit flip in an older segment", From: stopped, Damage: editSegment(0, flip(1000)),
			Expect: Refuses, Words: []string{"data on disk is corrupt", "and it is not the last file"}, Verify: "and it is not the last file", Section: logDamaged},
		{Fault: "synced end of the log cut off", From: stopped, Damage: editSegment(-1, shorten(10)),
			Expect: Refuses, Words: []string{"data on disk is corrupt", "had been synced"}, Verify: "had been synced", Section: logDamaged},
		{Fault: "a segment in the middle is missing", From: stopped, Damage: segment(1, os.Remove),
			Expect: Refuses, Words: []string{"data on disk is corrupt", "the next one"}, Verify: "the next one", Section: logDamaged},
		{Fault: "lost directory entry: the newest segment", From: stopped, Damage: segment(-1, os.Remove),
			Expect: Refuses, Words: []string{"data on disk is corrupt", "the file is missing; entries up to"}, Verify: "the file is missing; entries up to", Section: logDamaged},
		{Fault: "lost directory entry: the newest segment and the hint", From: stopped, Damage: both(loseHint, segment(-1, os.Remove)),
			Expect: Starts, Loses: lastGone, Section: notTold},
		{Fault: "lost directory entries: all segments", From: stopped, Damage: func(dir string) error {
			for {
				path, err := nth(dir, segments, 0)
				if err != nil {
					return nil // none is left
				}
				if err := os.Remove(path); err != nil {
					return err
				}
			}
		}, Expect: Refuses, Words: []string{"the log has a header but no segment"}, Verify: "the log has a header but no segment", Section: logDamaged},
		{Fault: "header missing", From: stopped, Damage: remove("raft/log/header"),
			Expect: Refuses, Words: []string{"the file is missing, but there are others of the log"}, Verify: "the file is missing, but there are others of the log", Section: logDamaged},
		{Fault: "header damaged", From: stopped, Damage: edit("raft/log/header", flip(12)),
			Expect: Refuses, Words: []string{"raft/log/header: offset 0: checksum does not match"}, Verify: "raft/log/header: offset 0: checksum does not match", Section: logDamaged},
		{Fault: "hint missing", From: stopped, Damage: loseHint, Expect: Starts, Section: nothingToDo},
		{Fault: "hint damaged", From: stopped, Damage: edit("raft/log/hint", flip(12)), Expect: Starts, Section: nothingToDo},
		{Fault: "LOCK missing", From: stopped, Damage: remove("LOCK"), Expect: Starts, Section: nothingToDo},
		{Fault: "term and vote missing", From: stopped, Damage: remove("raft/stable/stable"),
			Expect: Refuses, Words: []string{"term and vote are missing beside a log that reaches entry"}, Verify: "term and vote are missing beside a log that reaches entry", Section: voteDamaged},
		{Fault: "term and vote damaged", From: stopped, Damage: edit("raft/stable/stable", flip(12)),
			Expect: Refuses, Words: []string{"raft/stable/stable: offset 0: checksum does not match"}, Verify: "raft/stable/stable: offset 0: checksum does not match", Section: voteDamaged},
		{Fault: "id missing", From: stopped, Damage: remove("raft/id"),
			Expect: Refuses, Words: []string{"raft/id: damaged: the file is missing beside a log"}, Section: idDamaged},
		{Fault: "id damaged", From: stopped, Damage: edit("raft/id", shorten(20)),
			Expect: Refuses, Words: []string{"raft/id: damaged: unexpected end of JSON input"}, Section: idDamaged},
		{Fault: "lost directory entry: the log", From: stopped, Damage: remove("raft/log"),
			Expect: Refuses, Words: []string{"the log that belongs to it, raft/log, is missing"}, Verify: "has a directory log", Section: logMissing},
		{Fault: "lost directory entry: raft/, of a member that is alone", From: stopped, Damage: remove("raft"),
			Expect: Starts, Loses: allGone, Verify: "has a directory log", Section: notTold},
	}

	snapshotDamageRows = []Row{
		{Fault: "newest snapshot damaged, the log reaches back", From: stopped, Damage: editSnapshots(-1, "state", flip(100)),
			Expect: Starts, Words: []string{"is set aside, the log holds all of it", "checksum of the state does not match"}, Verify: "checksum of the state does not match", Section: notNeeded},
		{Fault: "newest snapshot's description damaged, the log reaches back", From: stopped, Damage: editSnapshots(-1, "meta", flip(20)),
			Expect: Starts, Words: []string{"is set aside, the log holds all of it", "/meta"}, Verify: "/meta", Section: notNeeded},
		{Fault: "all snapshots damaged", From: stopped, Damage: editSnapshots(0, "state", flip(100)),
			Expect: Refuses, Words: []string{"log and snapshots do not hold all this member has acknowledged", "and no intact snapshot reaches entry"}, Verify: "and no intact snapshot reaches entry", Section: needed},
		{Fault: "lost directory entry: snapshots", From: stopped, Damage: remove("raft/snapshots"),
			Expect: Refuses, Words: []string{"log and snapshots do not hold all this member has acknowledged", "and no intact snapshot reaches entry"}, Verify: "and no intact snapshot reaches entry", Section: needed},
	}
)
