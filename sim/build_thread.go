package sim

import "holdfast/sim/patch"

// oneThread is what the guest's runtime need not do where there is one thread for ever, and the Go project has not left out
// yet. It changes nothing but the price: more than half of a run's time is spent in the guest's scheduler.
//
//   - Atomic operations are plain loads and stores already; they may be inlined as well. So may the runtime's own locks, once
//     they no longer look whether somebody holds them.
//   - There is no other thread whose work could be stolen, or that could be woken to take some. Nor does the poller have to be
//     asked twice before the thread goes to sleep in it.
//   - A select need not lock its channels, hence not sort them either into the order in which that would be safe; only lose its
//     turn it must not.
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
			Module: patch.GOROOT, File: "runtime/select.go",
			Old: `	for i := range lockorder {
		j := i
		// Start with the pollorder to permute cases on the same channel.
		c := scases[pollorder[i]].c
		for j > 0 && scases[lockorder[(j-1)/2]].c.sortkey() < c.sortkey() {
			k := (j - 1) / 2
			lockorder[j] = lockorder[k]
			j = k
		}
		lockorder[j] = pollorder[i]
	}
	for i := len(lockorder) - 1; i >= 0; i-- {
		o := lockorder[i]
		c := scases[o].c
		lockorder[i] = lockorder[0]
		j := 0
		for {
			k := j*2 + 1
			if k >= i {
				break
			}
			if k+1 < i && scases[lockorder[k]].c.sortkey() < scases[lockorder[k+1]].c.sortkey() {
				k++
			}
			if c.sortkey() < scases[lockorder[k]].c.sortkey() {
				lockorder[j] = lockorder[k]
				j = k
				continue
			}
			break
		}
		lockorder[j] = o
	}
`,
			New: "	copy(lockorder, pollorder)\n",
		},
		{
			Module: patch.GOROOT, File: "runtime/select.go",
			Old: `	var c *hchan
	for _, o := range lockorder {
		c0 := scases[o].c
		if c0 != c {
			c = c0
			lock(&c.lock)
		}
	}
`,
			New: "\tgetg().m.locks++\n",
		},
		{
			Module: patch.GOROOT, File: "runtime/select.go",
			Old: `	for i := len(lockorder) - 1; i >= 0; i-- {
		c := scases[lockorder[i]].c
		if i > 0 && c == scases[lockorder[i-1]].c {
			continue // will unlock it on the next iteration
		}
		unlock(&c.lock)
	}
`,
			New: "\tgetg().m.locks--\n",
		},
		{
			Module: patch.GOROOT, File: "runtime/select.go",
			Old: `	var lastc *hchan
	for sg := gp.waiting; sg != nil; sg = sg.waitlink {
		if sg.c.get() != lastc && lastc != nil {
			// As soon as we unlock the channel, fields in
			// any sudog with that channel may change,
			// including c and waitlink. Since multiple
			// sudogs may have the same channel, we unlock
			// only after we've passed the last instance
			// of a channel.
			unlock(&lastc.lock)
		}
		lastc = sg.c.get()
	}
	if lastc != nil {
		unlock(&lastc.lock)
	}
`,
			New: "\tgetg().m.locks--\n",
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
