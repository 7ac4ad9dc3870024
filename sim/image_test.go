package sim

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a module is made of in these tests.
var (
	header   = []byte("\x00asm\x01\x00\x00\x00")
	memory1  = section(sectionMemory, 1, 0, 1) // one memory, of a page at least
	someCode = section(10, 0)
	custom   = section(0, 4, 'n', 'a', 'm', 'e')
)

func section(id byte, body ...byte) []byte {
	return append(binary.AppendUvarint([]byte{id}, uint64(len(body))), body...)
}

// piece is a piece of data at an offset that is given as it is encoded.
func piece(text string, offset ...byte) []byte {
	b := append([]byte{0, opI32Const}, offset...)
	return append(binary.AppendUvarint(append(b, opEnd), uint64(len(text))), text...)
}

func dataSection(pieces ...[]byte) []byte {
	return section(sectionData, slices.Concat(append([][]byte{{byte(len(pieces))}}, pieces...)...)...)
}

// The data is laid out as instantiating would, and the rest of the module stays as it was.
func TestSplitImage(t *testing.T) {
	for _, c := range []struct {
		name   string
		pieces [][]byte
		image  string
	}{
		{"one at the start", [][]byte{piece("abc", 0)}, "abc"},
		{"a gap is zero", [][]byte{piece("a", 1), piece("b", 4)}, "\x00a\x00\x00b"},
		{"the later one counts", [][]byte{piece("aaaa", 0), piece("bb", 1)}, "abba"},
		{"in any order", [][]byte{piece("b", 3), piece("a", 0)}, "a\x00\x00b"},
		{"an offset of two bytes", [][]byte{piece("x", 0x80, 0x01)}, string(make([]byte, 128)) + "x"},
		{"at the very end", [][]byte{piece("x", 0xff, 0xff, 0x03)}, string(make([]byte, 65535)) + "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rest, image := splitImage(slices.Concat(header, memory1, someCode, dataSection(c.pieces...), custom))
			assert.Equal(t, c.image, string(image))
			assert.Equal(t, slices.Concat(header, memory1, someCode, custom), rest)
		})
	}
}

// A module whose data is not as Go's, or not there, or broken, is given back as it is: whoever compiles it says what is wrong.
func TestSplitImageLeavesOthers(t *testing.T) {
	whole := slices.Concat(header, memory1, dataSection(piece("abc", 0)))
	modules := map[string][]byte{
		"nothing":               {},
		"no data":               slices.Concat(header, memory1, someCode),
		"no memory":             slices.Concat(header, dataSection(piece("abc", 0))),
		"two memories":          slices.Concat(header, section(sectionMemory, 2, 0, 1, 0, 1), dataSection(piece("abc", 0))),
		"counted data":          slices.Concat(header, memory1, section(sectionDataCount, 1), dataSection(piece("abc", 0))),
		"a large memory":        slices.Concat(header, section(sectionMemory, 1, 0, 0x81, 0x08), dataSection(piece("abc", 0))),
		"passive data":          slices.Concat(header, memory1, section(sectionData, 1, 1, 1, 'a')),
		"an offset in a global": slices.Concat(header, memory1, section(sectionData, 1, 0, 0x23, 0, opEnd, 1, 'a')),
		"beyond the memory":     slices.Concat(header, memory1, dataSection(piece("ab", 0xff, 0xff, 0x03))),
		"a negative offset":     slices.Concat(header, memory1, dataSection(piece("a", 0x7f))),
		"an endless offset":     slices.Concat(header, memory1, dataSection(piece("a", 0x80, 0x80, 0x80, 0x80, 0x80, 0x00))),
	}
	for cut := range len(whole) - 1 {
		modules["cut "+string(rune('A'+cut))] = whole[:cut]
	}
	for name, module := range modules {
		rest, image := splitImage(module)
		assert.Empty(t, image, name)
		assert.Equal(t, module, rest, name)
	}
}

// Of the modules that we play the data is taken out.
func TestSplitImageOfAGuest(t *testing.T) {
	rest, image := splitImage(toy)
	require.NotEmpty(t, image)
	assert.Less(t, len(rest), len(toy)-len(image)/2)
	assert.True(t, bytes.HasPrefix(toy, rest[:moduleHeaderBytes]))
}

func FuzzSplitImage(f *testing.F) {
	f.Add(slices.Concat(header, memory1, someCode, dataSection(piece("abc", 0), piece("d", 0x80, 0x01)), custom))
	f.Fuzz(func(t *testing.T, module []byte) {
		rest, image := splitImage(module)
		assert.LessOrEqual(t, len(rest), len(module))
		assert.LessOrEqual(t, len(image), usualBytes)
	})
}
