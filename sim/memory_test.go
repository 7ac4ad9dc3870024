package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A process's memory is zero at its start, whoever had it before, and stays where it was while it grows within the usual.
func TestMemoriesAreLentEmpty(t *testing.T) {
	var ms memories
	one, two := ms.lend(0, 0), ms.lend(0, 0)
	b := one.Reallocate(3 << 16)
	assert.Equal(t, make([]byte, 3<<16), b)
	b[0], b[len(b)-1] = 1, 2
	grown := one.Reallocate(5 << 16)
	assert.Same(t, &b[0], &grown[0])
	grown[len(grown)-1] = 3
	assert.EqualValues(t, 2, grown[3<<16-1])
	one.Free()
	require.Len(t, ms.idle, 1)
	again := ms.lend(0, 0).Reallocate(8 << 16)
	assert.Same(t, &b[0], &again[0], "it is lent again")
	assert.Equal(t, make([]byte, 8<<16), again)
	two.Free()
	assert.Len(t, ms.idle, 1)
}

// It begins with the image, whoever had it before.
func TestMemoriesAreLentWithTheImage(t *testing.T) {
	ms := memories{image: []byte("image")}
	want := append([]byte("image"), make([]byte, 1<<16-5)...)
	for range 2 {
		m := ms.lend(0, 0)
		b := m.Reallocate(1 << 16)
		assert.Equal(t, want, b)
		copy(b, "other things")
		b[len(b)-1] = 1
		m.Free()
	}
}

// One that needs more than the usual gets it, with what it had, and gives it back whole.
func TestMemoryBeyondTheUsual(t *testing.T) {
	var ms memories
	m := ms.lend(0, 0)
	m.Reallocate(usualBytes)[usualBytes-1] = 7
	b := m.Reallocate(usualBytes + 1<<16)
	assert.Len(t, b, usualBytes+1<<16)
	assert.EqualValues(t, 7, b[usualBytes-1])
	m.Free()
	again := ms.lend(0, 0).Reallocate(usualBytes + 1<<16)
	assert.Zero(t, again[usualBytes-1])
}

// What processes had, be they killed or ended, is there for those of the next run.
func TestRunsGiveMemoriesBack(t *testing.T) {
	o := toyOptions(6, "good")
	var err error
	o.Engine, err = NewEngine(t.Context(), &o)
	require.NoError(t, err)
	defer func() { require.NoError(t, o.Engine.Close(t.Context())) }()
	for range 2 {
		_, err = Run(t.Context(), o)
		require.NoError(t, err)
		assert.Len(t, o.Engine.module.memory.idle, 4, "three members and the clients")
	}
}
