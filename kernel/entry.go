package kernel

import (
	"fmt"
	"slices"
)

// entry is a decoded entry; its commands share the bytes it came from.
type entry struct {
	kind     byte
	session  Session
	elapsed  Time
	wall     int64
	commands []Command
}

// decodeEntry reads an entry; its commands are put into memory, if they fit.
func decodeEntry(b []byte, memory []Command) (entry, error) {
	if len(b) > MaxEntryBytes {
		return entry{}, fmt.Errorf("entry: %d bytes: %w of %d", len(b), ErrLimit, MaxEntryBytes)
	}
	r := reader{b: b}
	version := r.byte()
	e := entry{kind: r.byte()}
	if r.err == nil && (version > entryVersion || e.kind > kindSession) {
		return e, fmt.Errorf("entry: version %d, kind %d: %w", version, e.kind, ErrNewerVersion)
	}
	if version == 0 {
		r.fail("version 0")
	}
	e.session = Session{Term: r.uvarint(), Restore: r.uvarint()}
	if e.kind == kindSession {
		if e.wall = r.varint(); e.session.Term == 0 {
			r.fail("a clock session of term 0")
		}
	} else {
		e.elapsed = r.time(maxTime)
		e.readCommands(&r, memory)
	}
	if err := r.end(); err != nil {
		return e, fmt.Errorf("entry: %w", err)
	}
	return e, nil
}

func (e *entry) readCommands(r *reader, memory []Command) {
	n := r.count(MaxCommandsPerEntry)
	e.commands = slices.Grow(memory[:0], n)[:n]
	for i := range e.commands {
		b := r.bytes(MaxCommandBytes)
		if r.err != nil {
			return
		}
		if err := decodeCommand(b, &e.commands[i], false); err != nil {
			r.err, r.b = fmt.Errorf("command %d: %w", i, err), nil
			return
		}
	}
}
