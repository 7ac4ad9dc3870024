package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A process may give up because of a fault that it met, in the way in which daemons do, and soon; nothing else is excused.
func TestExcuse(t *testing.T) {
	gaveUp, at := end{exited: true, code: 1}, int64(5e9)
	var c health
	assert.False(t, c.excuses(gaveUp, at), "for no reason")
	c.excuseFor("a disk error", at)
	assert.True(t, c.excuses(gaveUp, at+1e9))
	assert.True(t, c.excuses(gaveUp, at+excuseNanos))
	assert.False(t, c.excuses(gaveUp, at+excuseNanos+1), "that was long ago")
	assert.False(t, c.excuses(end{exited: true}, at), "status 0 says that all is well")
	assert.False(t, c.excuses(end{exited: true, code: 2}, at), "a panic")
	assert.False(t, c.excuses(end{code: 1}, at), "a trap")

	c = health{pausedUntil: at + 4e9}
	c.excuseFor("a disk error", at)
	assert.True(t, c.excuses(gaveUp, at+4e9+excuseNanos), "a process that has no turns cannot give up")
	c = health{lost: rotten}
	assert.True(t, c.excuses(gaveUp, 1<<60), "what is lost stays lost")
	assert.False(t, c.excuses(end{code: 1}, at), "but must not crash")
}

// What the runtime says before it gives a process up is remembered, however much it says then.
func TestPanicIsRemembered(t *testing.T) {
	var l lines
	l.add([]byte("2031 [ERR] panic: not at the beginning\n"), func([]byte) {})
	assert.False(t, l.panicked)
	l.add([]byte("panic: index out of ra"), func([]byte) {})
	assert.False(t, l.panicked, "the line is not whole")
	l.add([]byte("nge\n"), func([]byte) {})
	assert.True(t, l.panicked)
	for range 2 * keptLines {
		l.add([]byte("goroutine 1 [running]:\n"), func([]byte) {})
	}
	assert.True(t, l.panicked)
	l = lines{}
	l.add([]byte("fatal error: all goroutines are asleep - deadlock!\n"), func([]byte) {})
	assert.True(t, l.panicked)
}
