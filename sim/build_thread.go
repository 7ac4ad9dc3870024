package sim

import "holdfast/sim/patch"

// oneThread is what the guest's runtime need not do where there is one thread for ever, and the Go project has not left out
// yet. It changes nothing but the price: more than half of a run's time is spent in the guest's scheduler.
//
//   - Atomic operations are plain loads and stores already; they may be inlined as well. So may the runtime's own locks, once
//     they no longer look whether somebody holds them.
//   - There is no other thread whose work could be stolen, or that could be woken to take some. Nor does the poller have to be
//     asked twice before the thread goes to sleep in it.
//   - Each change of goroutines looks at the clock, to see whether a timer is due, and a look at the clock is a call of the
//     host. Time passes in host calls only, nanoseconds in most of them: the last reading is as good, unless the thread has
//     been asleep or a file was synced since; but not for ever, lest goroutines that only take turns stop the clock.
func oneThread() []patch.Edit {
	edits := []patch.Edit{
		{
			Module: patch.GOROOT, File: "runtime/lock_wasip1.go",
			Old: `	if l.key == mutex_locked {
		// wasm is single-threaded so we should never
		// observe this.
		throw("self deadlock")
	}
	gp := getg()
	if gp.m.locks < 0 {
		throw("lock count")
	}
	gp.m.locks++
`,
			New: "\tgetg().m.locks++\n",
		},
		{
			Module: patch.GOROOT, File: "runtime/lock_wasip1.go",
			Old: `	if l.key == mutex_unlocked {
		throw("unlock of unlocked lock")
	}
	gp := getg()
	gp.m.locks--
	if gp.m.locks < 0 {
		throw("lock count")
	}
`,
			New: "\tgetg().m.locks--\n",
		},
		{
			Module: patch.GOROOT, File: "runtime/proc.go",
			Old: "func wakep() {\n",
			New: "func wakep() {\n\tif gomaxprocs <= 1 {\n\t\treturn\n\t}\n",
		},
		{
			Module: patch.GOROOT, File: "runtime/proc.go",
			Old: "	if mp.spinning || 2*sched.nmspinning.Load() < gomaxprocs-sched.npidle.Load() {\n",
			New: "	if gomaxprocs > 1 && (mp.spinning || 2*sched.nmspinning.Load() < gomaxprocs-sched.npidle.Load()) {\n",
		},
		{
			Module: patch.GOROOT, File: "runtime/proc.go",
			Old: "	if netpollinited() && netpollAnyWaiters() && sched.lastpoll.Load() != 0 && sched.pollingNet.Swap(1) == 0 {\n",
			New: "	if gomaxprocs > 1 && netpollinited() && netpollAnyWaiters() && sched.lastpoll.Load() != 0 && sched.pollingNet.Swap(1) == 0 {\n",
		},
		{
			Module: patch.GOROOT, File: "runtime/os_wasip1.go",
			Old: `		throw("clock_time_get failed")
	}
	return int64(time)
}
`,
			New: `		throw("clock_time_get failed")
	}
	recently = int64(time)
	return recently
}

// recently is the clock's last reading, 0 if it may be long ago.
var recently int64

// looks counts the times that recently was good enough.
var looks uint32

func aboutNow() int64 {
	if looks++; recently == 0 || looks%16 == 0 {
		return nanotime()
	}
	return recently
}
`,
		},
		{
			Module: patch.GOROOT, File: "runtime/time.go",
			Old: `		return now, 0, false
	}

	if now == 0 {
		now = nanotime()
	}
`,
			New: `		return now, 0, false
	}

	if now == 0 {
		now = aboutNow()
	}
`,
		},
	}
	for _, name := range []string{
		"Load", "Loadp", "LoadAcq", "LoadAcq64", "LoadAcquintptr", "Load8", "Load64", "Xadd", "Xadd64", "Xadduintptr", "Xchg",
		"Xchg64", "Xchgint32", "Xchgint64", "Xchguintptr", "And8", "Or8", "And", "Or", "Cas64", "Store", "StoreRel", "StoreRel64",
		"StoreReluintptr", "Store8", "Store64", "Casint32", "Casint64", "Cas", "Casuintptr", "CasRel", "Storeint32",
		"Storeint64", "Storeuintptr", "Loaduintptr", "Loaduint", "Loadint32", "Loadint64", "Xaddint32", "Xaddint64",
	} {
		edits = append(edits, patch.Edit{
			Module: patch.GOROOT, File: "internal/runtime/atomic/atomic_wasm.go",
			Old: "//go:noinline\nfunc " + name + "(", New: "func " + name + "(",
		})
	}
	return edits
}
