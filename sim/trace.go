package sim

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"holdfast/sim/disk"

	"github.com/cespare/xxhash/v2"
)

// opcode names a kind of step: one host call of one process, or one act of the simulator upon it.
type opcode uint8

const (
	opStart opcode = iota + 1
	opKill
	opExit
	opTurn
	opPoll
	opMonotonic
	opWall
	opRandom
	opStdio
	opNote
	opDoorbell
	opNews
	opListen
	opAccept
	opDial
	opConnected
	opAddr
	opSend
	opRecv
	opClose
	opDisk // and above: opDisk + disk.Op
)

var opNames = map[opcode]string{ // read by key only
	opStart: "start", opKill: "kill", opExit: "exit", opTurn: "turn", opPoll: "poll_oneoff", opMonotonic: "clock monotonic",
	opWall: "clock wall", opRandom: "random_get", opStdio: "stdio", opNote: "note", opDoorbell: "net_doorbell",
	opNews: "net_news", opListen: "net_listen", opAccept: "net_accept", opDial: "net_dial",
	opConnected: "net_connected", opAddr: "net_addr", opSend: "net_send", opRecv: "net_recv", opClose: "net_close",
	opDisk + opcode(disk.OpOpen): "disk open", opDisk + opcode(disk.OpStat): "disk stat",
	opDisk + opcode(disk.OpMkdir): "disk mkdir", opDisk + opcode(disk.OpRename): "disk rename",
	opDisk + opcode(disk.OpRemove): "disk remove", opDisk + opcode(disk.OpChmod): "disk chmod",
	opDisk + opcode(disk.OpUtimens): "disk utimens", opDisk + opcode(disk.OpRead): "disk read",
	opDisk + opcode(disk.OpWrite): "disk write", opDisk + opcode(disk.OpSeek): "disk seek",
	opDisk + opcode(disk.OpReaddir): "disk readdir", opDisk + opcode(disk.OpTruncate): "disk truncate",
	opDisk + opcode(disk.OpSync): "disk sync",
}

func (o opcode) String() string { return opNames[o] }

// Divergence is the first step at which a run differs from the run it was held against.
type Divergence struct {
	Step    uint64 // counted from 1 over all processes
	At      int64  // virtual nanoseconds
	Process string
	Call    string // what this run did there
}

// String tells it in one line.
func (d Divergence) String() string {
	return fmt.Sprintf("step %d at %.9f s: %s: %s", d.Step, float64(d.At)/1e9, d.Process, d.Call)
}

// Trace is what a run leaves for another to be held against: one rolling hash per step.
type Trace struct{ steps []uint64 }

// trace rolls one hash over every step's arguments and results.
type trace struct {
	hash     uint64
	count    uint64
	log      *bufio.Writer // a line per step; nil: none
	logErr   error
	record   *Trace // nil: not recorded
	against  *Trace // nil: not compared
	diverged *Divergence
	scratch  [72]byte
}

func newTrace(log io.Writer, record, against *Trace) *trace {
	t := &trace{record: record, against: against}
	if log != nil {
		t.log = bufio.NewWriterSize(log, 1<<20)
	}
	return t
}

// step adds one step: who did what at what (local) time, with which numbers and bytes in and out.
func (t *trace) step(at int64, m *machine, op opcode, a, b, c uint64, data []byte) {
	s := t.scratch[:]
	binary.LittleEndian.PutUint64(s[0:], t.hash)
	binary.LittleEndian.PutUint64(s[8:], uint64(at))
	binary.LittleEndian.PutUint64(s[16:], uint64(m.index)<<8|uint64(op))
	binary.LittleEndian.PutUint64(s[24:], a)
	binary.LittleEndian.PutUint64(s[32:], b)
	binary.LittleEndian.PutUint64(s[40:], c)
	binary.LittleEndian.PutUint64(s[48:], uint64(len(data)))
	k := 56
	if len(data) > 0 {
		binary.LittleEndian.PutUint64(s[56:], xxhash.Sum64(data))
		k = 64
	}
	t.hash = xxhash.Sum64(s[:k])
	t.count++
	if t.record != nil {
		t.record.steps = append(t.record.steps, t.hash)
	}
	if t.against != nil && t.diverged == nil && !t.against.has(t.count, t.hash) {
		t.diverged = &Divergence{Step: t.count, At: at, Process: m.name, Call: describe(op, a, b, c, data)}
	}
	if t.log != nil && t.logErr == nil {
		_, t.logErr = fmt.Fprintf(t.log, "%d %d %s %016x %s\n", t.count, at, m.name, t.hash, describe(op, a, b, c, data))
	}
}

func (t *Trace) has(step, hash uint64) bool {
	return step <= uint64(len(t.steps)) && t.steps[step-1] == hash
}

// close flushes the log; a run that ended before its reference did diverges at its end.
func (t *trace) close() error {
	if t.against != nil && t.diverged == nil && uint64(len(t.against.steps)) != t.count {
		t.diverged = &Divergence{Step: t.count + 1, Process: "the run", Call: "ended, while the run it was held against went on"}
	}
	if t.log == nil {
		return nil
	}
	if err := t.log.Flush(); t.logErr == nil {
		t.logErr = err
	}
	if t.logErr != nil {
		return fmt.Errorf("write hash log: %w", t.logErr)
	}
	return nil
}

const maxShownBytes = 48

func describe(op opcode, a, b, c uint64, data []byte) string {
	shown := data[:min(len(data), maxShownBytes)]
	return fmt.Sprintf("%s %d %d %d %q len=%d", op, int64(a), int64(b), int64(c), shown, len(data))
}
