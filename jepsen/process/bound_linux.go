package process

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// starter leads to the one thread that starts processes. Linux ends a child when
// the thread that started it ends, so that thread must live as long as we do.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go serveStarts(work)
	return work
})

// serveStarts runs everything on one thread and never ends.
func serveStarts(work <-chan func()) {
	runtime.LockOSThread()
	for f := range work {
		f()
	}
}

// startBound starts cmd so that it ends when this process does, even if this
// process is killed or a test runs out of time.
func startBound(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	result := make(chan error)
	starter() <- func() { result <- cmd.Start() }
	return <-result
}
