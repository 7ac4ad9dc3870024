package sim

import (
	"context"

	"github.com/tetratelabs/wazero/experimental"
)

// memories lends processes their memory. A process grows to what it needs in many small steps, each of which would copy all
// that it has, and the runs of a seed start dozens of them: so that each gets at once, and has back from the one before, more
// than it is likely to need.
type memories struct {
	image []byte   // what a process begins with, see splitImage
	idle  [][]byte // zero behind the image, each of usualBytes at least
}

// usualBytes is more than a process needs as a rule. What is not touched costs nothing but addresses.
const usualBytes = 64 << 20

// within makes the processes that are started under a context take their memory from here.
func (ms *memories) within(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(ms.lend))
}

// lend gives a memory with the image and nothing else in it, whatever its size may become.
func (ms *memories) lend(_, _ uint64) experimental.LinearMemory {
	m := &memory{from: ms}
	if last := len(ms.idle) - 1; last >= 0 {
		m.bytes, ms.idle = ms.idle[last][:0], ms.idle[:last]
	} else {
		m.bytes = make([]byte, 0, usualBytes)
	}
	copy(m.bytes[:len(ms.image)], ms.image)
	return m
}

// memory is what one process has. The loop and the processes take turns, so that nothing here is shared at one time.
type memory struct {
	from  *memories
	bytes []byte
}

// Reallocate implements experimental.LinearMemory; it never fails.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(cap(m.bytes)) {
		larger := make([]byte, size, max(size, 2*uint64(cap(m.bytes))))
		copy(larger, m.bytes)
		m.bytes = larger
	}
	m.bytes = m.bytes[:size]
	return m.bytes
}

// Free implements experimental.LinearMemory.
func (m *memory) Free() {
	clear(m.bytes[min(len(m.bytes), len(m.from.image)):])
	m.from.idle = append(m.from.idle, m.bytes)
	m.bytes = nil
}
