//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used so far, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it knows no error for the calling process
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
