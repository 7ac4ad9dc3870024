package sim

import (
	"strconv"

	"holdfast/sim/patch"
)

// late lets a goroutine be late in virtual time. Whose turn it is among those that are ready costs no time, whatever decides
// it: all have had theirs before the process looks at the world outside again. So nothing that comes from there meanwhile could
// get ahead of somebody who was woken long ago. In a real process it can: a thread that the system does not run for some
// milliseconds has its goroutine wait while others, on other threads, go on and take what comes in.
//
// Therefore a goroutine that was woken from a channel, a mutex or the like sleeps now and then before it goes on, for up to 16 µs,
// 33 ms, or a power of two between them, drawn evenly. For others it is as if it were still ready: what it was woken with stays
// its own. Who polls the network for all others never is late, nor are the runtime's own.
//
// What a goroutine sleeps with is allocated at its first sleep, and an allocation may begin a collection, which waits on a channel
// and a semaphore of its own. In the midst of a wait that is not finished that would lose what the goroutine has with its own
// channels: so it is allocated while the goroutine keeps its thread, where none is begun.
//
// The host tells a process by the environment variable of lateVariable how often: "16" is one time in 16. Without it nothing is
// drawn for this, and nobody is late.
var late = []patch.Edit{
	{
		Module: patch.GOROOT, File: "runtime/proc.go",
		Old: `	secure()
	checkfds()
`,
		New: `	readLateness(gogetenv("` + lateVariable + `"))
	secure()
	checkfds()
`,
	},
	{
		Module: patch.GOROOT, File: "runtime/proc.go",
		Old: `	// can't do anything that might move the G between Ms here.
	mcall(park_m)
}
`,
		New: `	// can't do anything that might move the G between Ms here.
	mcall(park_m)
	if lateOneIn != 0 && reason >= waitReasonSelect && reason <= waitReasonSyncWaitGroupWait && cheaprandn(lateOneIn) == 0 {
		beLate(gp)
	}
}

func beLate(gp *g) {
	if gp.timer == nil {
		mp := acquirem()
		t := new(timer)
		t.init(goroutineReady, gp)
		gp.timer = t
		releasem(mp)
	}
	param := gp.param
	timeSleep(int64(cheaprandn(1 << (14 + cheaprandn(12)))))
	gp.param = param
}

// lateOneIn is of how many who are woken one is late, 0: nobody is.
var lateOneIn uint32

func readLateness(oneIn string) {
	if oneIn == "" {
		return
	}
	n, err := strconv.ParseInt(oneIn, 10, 32)
	if err != nil || n < 1 {
		throw("bad lateness")
	}
	lateOneIn = uint32(n)
}
`,
	},
}

// lateVariable says in a process's environment how often its goroutines are late.
const lateVariable = "HOLDFAST_LATE"

// A member's goroutines are late, for the whole of its life, one time in 1<<mostLate to 1<<(leastLate-1): some members much, most
// hardly, for each time costs a turn.
const (
	mostLate  = 4
	leastLate = 12
)

// lateness draws how often the goroutines of a process are late, for lateVariable.
func (d draws) lateness(life uint64) string {
	return strconv.FormatInt(1<<d.between(forLate, life, 0, mostLate, leastLate), 10)
}
