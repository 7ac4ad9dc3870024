package kernel

import (
	"encoding/binary"
	"fmt"
)

// The wire form of commands and entries. An entry is what raft keeps; it folds
// many commands. All integers are unsigned varints unless said otherwise,
// strings are a length and the bytes. docs/format-kernel.md shows it byte by
// byte.

const entryVersion = 1

const (
	kindBatch   = 0
	kindSession = 1
)

const (
	flagDir = 1 << iota
	flagRecursive
	flagRefresh
	flagTTL
	flagPrevValue
	flagPrevIndex
	flagMember
	flagsEnd
)

// AppendCommand appends the wire form of c to dst. It refuses a command that
// limits.go does not allow, with an error that wraps ErrLimit or ErrMalformed.
func AppendCommand(dst []byte, c *Command) ([]byte, error) {
	if err := c.check(); err != nil {
		return dst, err
	}
	flags := byte(0)
	set := func(on bool, f byte) {
		if on {
			flags |= f
		}
	}
	set(c.Dir, flagDir)
	set(c.Recursive, flagRecursive)
	set(c.Refresh, flagRefresh)
	set(c.HasTTL, flagTTL)
	set(c.PrevValue != "", flagPrevValue)
	set(c.PrevIndex != 0, flagPrevIndex)
	set(c.Op.onMember(), flagMember)
	dst = append(dst, byte(c.Op), flags)
	dst = appendString(dst, c.Path)
	dst = appendString(dst, c.Value)
	if c.HasTTL {
		dst = binary.AppendUvarint(dst, c.TTLSeconds)
	}
	if c.PrevValue != "" {
		dst = appendString(dst, c.PrevValue)
	}
	if c.PrevIndex != 0 {
		dst = binary.AppendUvarint(dst, uint64(c.PrevIndex))
	}
	if c.Op.onMember() {
		dst = AppendMember(dst, &c.Member)
	}
	return dst, nil
}

// DecodeCommand reads one command. Its strings are copies: they do not hold
// on to b.
func DecodeCommand(b []byte) (Command, error) {
	var c Command
	if err := decodeCommand(b, &c, true); err != nil {
		return Command{}, err
	}
	return c, nil
}

// decodeCommand leaves Path and Value as views into b unless own is set, so
// that Apply copies only what the tree keeps.
func decodeCommand(b []byte, c *Command, own bool) error {
	r := reader{b: b}
	flags := byte(0)
	c.Op, flags = Op(r.byte()), r.byte()
	if r.err == nil && c.Op != 0 && (!c.Op.known() || flags >= flagsEnd) {
		// Asked first: what follows may have any shape.
		return fmt.Errorf("command: operation %d, flags %#x: %w", c.Op, flags, ErrNewerVersion)
	}
	c.Dir, c.Recursive, c.Refresh = flags&flagDir != 0, flags&flagRecursive != 0, flags&flagRefresh != 0
	c.Path = r.string(MaxPathBytes, own)
	c.Value = r.string(MaxValueBytes, own)
	if c.HasTTL = flags&flagTTL != 0; c.HasTTL {
		c.TTLSeconds = r.uvarint()
	}
	if flags&flagPrevValue != 0 {
		if c.PrevValue = r.string(MaxValueBytes, own); c.PrevValue == "" {
			r.fail("an empty value to compare with")
		}
	}
	if flags&flagPrevIndex != 0 {
		if c.PrevIndex = StoreIndex(r.uvarint()); c.PrevIndex == 0 {
			r.fail("an index 0 to compare with")
		}
	}
	if flags&flagMember != 0 {
		c.Member = r.member()
	}
	if c.Op.onMember() != (flags&flagMember != 0) {
		r.fail("a member")
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("command: %w", err)
	}
	return c.check()
}

// EntryOverheadBytes bounds what an entry adds to the commands it folds,
// beside CommandOverheadBytes for each of them.
const (
	EntryOverheadBytes   = 2 + 4*binary.MaxVarintLen64
	CommandOverheadBytes = 4
)

// AppendBatch appends an entry that folds commands, each in the form that
// AppendCommand gave it. Elapsed is the leader's monotonic time since it
// sealed the opening of session; it must be read after the last command
// joined.
func AppendBatch(dst []byte, session Session, elapsed Time, commands [][]byte) []byte {
	dst = append(dst, entryVersion, kindBatch)
	dst = appendSession(dst, session)
	dst = binary.AppendUvarint(dst, uint64(max(elapsed, 0)))
	dst = binary.AppendUvarint(dst, uint64(len(commands)))
	for _, c := range commands {
		dst = binary.AppendUvarint(dst, uint64(len(c)))
		dst = append(dst, c...)
	}
	return dst
}

// AppendOpening appends an entry that opens a clock session. The leader's
// wall clock, in Unix nanoseconds, is for show only.
func AppendOpening(dst []byte, session Session, wallUnixNano int64) []byte {
	dst = append(dst, entryVersion, kindSession)
	dst = appendSession(dst, session)
	return binary.AppendVarint(dst, wallUnixNano)
}

func appendSession(dst []byte, s Session) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, s.Term), s.Restore)
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendString(dst, s)
	}
	return dst
}
