package disk

import "github.com/tetratelabs/wazero/experimental/sys"

// Op names an operation in Hooks.
type Op uint8

// The operations of a disk, as the hooks see them.
const (
	OpOpen Op = iota + 1
	OpStat
	OpMkdir
	OpRename
	OpRemove
	OpChmod
	OpUtimens
	OpRead
	OpWrite
	OpSeek
	OpReaddir
	OpTruncate
	OpSync
	OpReadlink
)

// Hooks is what a disk wants of the world around it.
type Hooks interface {
	// Before is called when the process enters an operation on a path (of a rename: the old path, a zero byte, the new
	// one). It may stay away for a while of virtual time (a slow disk), cut the power (Disk.PowerCut), or not return at
	// all (a killed process): until it has returned the disk is untouched. Its answer can make the operation fail.
	Before(op Op, path string) Fault
	// After is called with what was asked and what came of it: path and the numbers of the call, the bytes read or
	// written (of a listing and of a stat: path or names, and what else the process is told), and the error.
	After(op Op, path string, a, b int64, data []byte, errno sys.Errno)
	// Now is the wall time that a change is stamped with, in nanoseconds since 1970.
	Now() int64
}

// Fault says how an operation fails. The zero value lets it go on.
type Fault struct {
	// Errno is the error that the process gets, EIO for most purposes; 0: none.
	Errno sys.Errno
	// Chance, if there is an Errno, decides which part of the operation is done in spite of it: of a write some of the
	// first sectors, of a sync some of the sectors or names. Other operations, and all if it is nil, do nothing.
	Chance Chance
}

// Chance is where the decisions of one fault come from: 64 evenly distributed bits for each n, counted from 0. It must be
// a function of n alone.
type Chance func(n uint64) uint64

// dice hands out a Chance's draws one after the other.
type dice struct {
	chance Chance
	n      uint64
}

func (d *dice) draw() uint64 {
	d.n++
	return d.chance(d.n - 1)
}

// below returns a number in [0, n).
func (d *dice) below(n int) int { return int(d.draw() % uint64(n)) }

func (d *dice) coin() bool { return d.draw()&1 == 1 }

// quarters is true in q of four draws.
func (d *dice) quarters(q int) bool { return d.below(4) < q }

type quiet struct{}

func (quiet) Before(Op, string) Fault                           { return Fault{} }
func (quiet) After(Op, string, int64, int64, []byte, sys.Errno) {}
func (quiet) Now() int64                                        { return 0 }
