package sim

import (
	"encoding/binary"
	"errors"
	"slices"
)

// splitImage takes the data out of a module and lays it out as it is to be in a process's memory at its start. Go's linker
// leaves a hundred thousand pieces of data, whose places are computed one by one whenever a module is instantiated: a fifth of
// a run's time, where one copy does. A module that has its data in any other way than Go's is given back whole, with no image.
//
// See the WebAssembly core specification 2.0, sections 5.5.14 (data) and 5.5.8 (memories).
func splitImage(module []byte) (rest, image []byte) {
	image, from, to, err := readImage(module)
	if err != nil {
		return module, nil
	}
	return slices.Concat(module[:from], module[to:]), image
}

// The sections of a module that are looked at, and the instructions in them.
const (
	moduleHeaderBytes = 8
	sectionMemory     = 5
	sectionData       = 11
	sectionDataCount  = 12 // goes with instructions that take data later
	opI32Const        = 0x41
	opEnd             = 0x0b
)

// errNoImage says that the data cannot be laid out beforehand, or that there is none.
var errNoImage = errors.New("no image")

// readImage gives the image and where in the module the section lies that it is of.
func readImage(module []byte) (image []byte, from, to int, err error) {
	r := wasmReader{rest: module}
	r.take(moduleHeaderBytes)
	least := uint64(0)
	for len(r.rest) > 0 && r.err == nil {
		at := len(module) - len(r.rest)
		id := r.byte()
		section := wasmReader{rest: r.take(r.uint())}
		switch id {
		case sectionMemory:
			least = section.memoryBytes()
		case sectionDataCount:
			return nil, 0, 0, errNoImage
		case sectionData:
			image, from, to = section.data(least), at, len(module)-len(r.rest)
		}
		r.err = errors.Join(r.err, section.err)
	}
	if r.err == nil && image == nil {
		r.err = errNoImage
	}
	return image, from, to, r.err
}

// wasmReader reads parts of a module. After its first error all it gives is zero.
type wasmReader struct {
	rest []byte
	err  error
}

func (r *wasmReader) take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.rest)) {
		r.err = errNoImage
		return make([]byte, min(n, moduleHeaderBytes))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *wasmReader) byte() byte { return r.take(1)[0] }

// uint reads a number in unsigned LEB128.
func (r *wasmReader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.err = errNoImage
		return 0
	}
	r.take(uint64(n))
	return v
}

// int reads a number of 32 bits in signed LEB128.
func (r *wasmReader) int() int64 {
	v := int64(0)
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
	r.err = errNoImage
	return 0
}

// memoryBytes reads the memory section: the least size of the one memory.
func (r *wasmReader) memoryBytes() uint64 {
	if count, flags := r.uint(), r.byte(); count != 1 || flags > 1 {
		r.err = errNoImage
	}
	return r.uint() << 16
}

// data reads the data section. least is the size that the memory certainly has: what is beyond is an error of the module's. A
// memory that begins larger than the usual is not lent with an image.
func (r *wasmReader) data(least uint64) []byte {
	if least > usualBytes {
		r.err = errNoImage
		return nil
	}
	image := make([]byte, 0, len(r.rest)) // about as much as there is of it
	for count := r.uint(); count > 0 && r.err == nil; count-- {
		kind, op := r.byte(), r.byte()
		at, end := r.int(), r.byte()
		piece := r.take(r.uint())
		if kind != 0 || op != opI32Const || end != opEnd || at < 0 || uint64(at)+uint64(len(piece)) > least {
			r.err = errNoImage
			return nil
		}
		if missing := int(at) + len(piece) - len(image); missing > 0 {
			image = append(image, make([]byte, missing)...)
		}
		copy(image[at:], piece)
	}
	return image
}
