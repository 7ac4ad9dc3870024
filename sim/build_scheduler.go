package sim

import (
	"slices"

	"holdfast/sim/patch"
)

// scheduler is what the guest's runtime has changed in it: whose turn it is, who comes late to his, and how dearly a turn is
// found.
var scheduler = slices.Concat(shuffled, ranked, late, oneThread())

// shuffled is what lets the seed decide whose turn it is. A wasm process has one thread, and Go's goroutines switch only
// where they block; then they take turns in the order in which they became ready, whatever the seed. Two changes let the
// seed decide instead. Their chance is the runtime's own, which it seeds through random_get, and so the simulator's.
//
//   - Who becomes ready changes places with one of those already waiting, drawn evenly, itself included.
//   - Now and then a goroutine gives way where a thread of a real process might lose its turn: when it reads the clock, and
//     around operations on files, which in a real process other threads do not wait for.
var shuffled = []patch.Edit{
	{
		Module: patch.GOROOT, File: "runtime/proc.go",
		Old: `	if t-h < uint32(len(pp.runq)) {
		pp.runq[t%uint32(len(pp.runq))].set(gp)
		atomic.StoreRel(&pp.runqtail, t+1) // store-release, makes the item available for consumption
		return
	}
`,
		New: `	if t-h < uint32(len(pp.runq)) {
		if ranks.strict {
			ranks.joined(gp)
			pp.runq[t%uint32(len(pp.runq))].set(gp)
		} else {
			at := h + cheaprandn(t-h+1)
			pp.runq[t%uint32(len(pp.runq))] = pp.runq[at%uint32(len(pp.runq))]
			pp.runq[at%uint32(len(pp.runq))].set(gp)
		}
		atomic.StoreRel(&pp.runqtail, t+1) // store-release, makes the item available for consumption
		return
	}
`,
	},
	{
		Module: patch.GOROOT, File: "runtime/proc.go",
		Old: `func Gosched() {
	checkTimeouts()
	mcall(gosched_m)
}
`,
		New: `func Gosched() {
	checkTimeouts()
	mcall(gosched_m)
}

// GiveWay lets other goroutines run, one time in n. It does nothing where
// that is not allowed: on a system stack, under a lock of the runtime's. The
// caller has looked at the clock, or waited: recently is over.
func GiveWay(n uint32) {
	recently = 0
	mp := getg().m
	if getg() != mp.curg || mp.locks != 0 || mp.mallocing != 0 || mp.preemptoff != "" {
		return
	}
	if ranks.strict {
		if ranks.count(mp.curg) {
			mcall(gopreempt_m)
		}
		return
	}
	if cheaprandn(n) == 0 {
		mcall(gosched_m)
	}
}
`,
	},
	{
		Module: patch.GOROOT, File: "time/time.go",
		Old: `func Now() Time {
	sec, nsec, mono := runtimeNow()
`,
		New: `func Now() Time {
	runtime.GiveWay(16)
	sec, nsec, mono := runtimeNow()
`,
	},
	{Module: patch.GOROOT, File: "time/time.go", Old: "import (\n", New: "import (\n\t\"runtime\"\n"},
	{
		Module: patch.GOROOT, File: "internal/poll/fd_fsync_posix.go",
		Old: `	return ignoringEINTR(func() error {
		return syscall.Fsync(fd.Sysfd)
	})
`,
		New: `	runtime.GiveWay(2)
	defer runtime.GiveWay(2)
	return ignoringEINTR(func() error {
		return syscall.Fsync(fd.Sysfd)
	})
`,
	},
	{
		Module: patch.GOROOT, File: "internal/poll/fd_fsync_posix.go",
		Old: `import "syscall"
`,
		New: `import (
	"runtime"
	"syscall"
)
`,
	},
}
