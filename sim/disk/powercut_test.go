package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/experimental/sys"
)

// chance is the draws of one seed.
func chance(seed uint64) Chance {
	return func(n uint64) uint64 {
		return xxhash.Sum64(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, seed), n))
	}
}

func open(t require.TestingT, f sys.FS, path string, flag sys.Oflag) sys.File {
	h, errno := f.OpenFile(path, flag, 0o600)
	require.Zero(t, errno, path)
	return h
}

func syncPath(t require.TestingT, f sys.FS, path string) {
	require.Zero(t, open(t, f, path, sys.O_RDONLY).Sync())
}

// image is all that is on a disk.
func image(d *Disk) map[string]string {
	out := map[string]string{}
	for _, path := range d.Files("") {
		b, _ := d.ReadFile(path)
		out[path] = string(b)
	}
	return out
}

// requireSettled checks what holds after every power cut: nothing is left to lose, and the books are right.
func requireSettled(t require.TestingT, d *Disk) {
	sectors, names := d.Unsynced()
	require.Zero(t, sectors)
	require.Zero(t, names)
	used := int64(0)
	for _, content := range image(d) {
		used += int64(len(content))
	}
	require.Equal(t, used, d.Used())
	again := image(d)
	d.PowerCut(chance(1))
	require.Equal(t, again, image(d), "a second cut took more")
}

// outcomes cuts the power after the same steps under many seeds, and counts what was left.
func outcomes(t *testing.T, steps func(sys.FS), tell func(*Disk, Loss) string) map[string]int {
	out := map[string]int{}
	for seed := range uint64(2000) {
		d, m := mounted()
		steps(m)
		out[tell(d, d.PowerCut(chance(seed)))]++
	}
	return out
}

// Every allowed outcome of a few unsynced sectors and names does occur.
func TestPowerCutReachesEveryOutcome(t *testing.T) {
	letters := func(d *Disk, _ Loss) string {
		b, ok := d.ReadFile("f")
		if !ok {
			return "no file"
		}
		s := ""
		for at := 0; at < len(b); at += SectorBytes {
			s += string(max(b[at], '0'))
		}
		return s
	}
	three := func(c string) string { return string(bytes.Repeat([]byte(c), 3*SectorBytes)) }
	appended := outcomes(t, func(m sys.FS) {
		h := write(t, m, "f", string(bytes.Repeat([]byte("a"), SectorBytes)))
		require.Zero(t, h.Sync())
		syncPath(t, m, ".")
		_, errno := h.Pwrite(bytes.Repeat([]byte("b"), 2*SectorBytes), SectorBytes)
		require.Zero(t, errno)
	}, letters)
	assert.ElementsMatch(t, []string{"a", "a0", "ab", "a00", "a0b", "ab0", "abb"}, slices.Collect(maps.Keys(appended)))

	rewritten := outcomes(t, func(m sys.FS) {
		h := write(t, m, "f", three("a"))
		require.Zero(t, h.Sync())
		syncPath(t, m, ".")
		_, errno := h.Pwrite([]byte(three("b")), 0)
		require.Zero(t, errno)
	}, letters)
	assert.ElementsMatch(t, []string{"aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb"}, slices.Collect(maps.Keys(rewritten)))

	replaced := outcomes(t, func(m sys.FS) {
		require.Zero(t, write(t, m, "f", three("a")).Sync())
		syncPath(t, m, ".")
		write(t, m, "f", string(bytes.Repeat([]byte("b"), 2*SectorBytes)))
	}, letters)
	assert.ElementsMatch(t, []string{"aaa", "aba", "baa", "bba", "", "0", "b", "00", "0b", "b0", "bb"}, slices.Collect(maps.Keys(replaced)))

	renamed := outcomes(t, func(m sys.FS) {
		require.Zero(t, write(t, m, "old", "").Sync())
		require.Zero(t, write(t, m, "gone", "").Sync())
		syncPath(t, m, ".")
		write(t, m, "new", "n")
		require.Zero(t, m.Rename("old", "renamed"))
		require.Zero(t, m.Unlink("gone"))
	}, func(d *Disk, _ Loss) string { return fmt.Sprint(d.Files("")) })
	assert.ElementsMatch(t, []string{
		"[gone new old]", "[gone new renamed]", "[gone old]", "[gone renamed]", "[new old]", "[new renamed]", "[old]", "[renamed]",
	}, slices.Collect(maps.Keys(renamed)))

	modes := outcomes(t, func(m sys.FS) { write(t, m, "f", three("a")) }, func(_ *Disk, l Loss) string { return string(l.Mode) })
	assert.Len(t, modes, 5)

	inOrder := outcomes(t, func(m sys.FS) {
		h := write(t, m, "f", string(bytes.Repeat([]byte("a"), 2*SectorBytes)))
		require.Zero(t, h.Sync())
		syncPath(t, m, ".")
		_, errno := h.Pwrite([]byte(three("b")), SectorBytes)
		require.Zero(t, errno)
	}, func(d *Disk, l Loss) string {
		if l.Mode != KeptStart {
			return ""
		}
		return letters(d, l)
	})
	assert.ElementsMatch(t, []string{"", "aa", "aa00", "ab", "ab00", "abb", "abb0", "abbb"}, slices.Collect(maps.Keys(inOrder)))
	unsynced := outcomes(t, func(m sys.FS) {
		write(t, m, "f", "x")
		syncPath(t, m, ".")
	}, letters)
	assert.ElementsMatch(t, []string{"", "0", "x"}, slices.Collect(maps.Keys(unsynced)), "a durable name without its bytes")
}

// A synced file that nobody removes is somewhere after the cut: what was moved is not lost to a new file under its old
// name, nor with the directory that it left, nor with one that never became durable.
func TestPowerCutLosesNoSyncedFile(t *testing.T) {
	for seed := range uint64(1000) {
		d, m := mounted()
		require.Zero(t, m.Mkdir("old", 0o700))
		for _, f := range []string{"old/f", "old/g", "x"} {
			require.Zero(t, write(t, m, f, f).Sync())
		}
		syncPath(t, m, "old")
		syncPath(t, m, ".")
		require.Zero(t, m.Mkdir("new", 0o700))
		require.Zero(t, m.Mkdir("new/er", 0o700))
		require.Zero(t, m.Rename("old/f", "new/er/f"))
		require.Zero(t, m.Rename("old/g", "g"))
		require.Zero(t, m.Rmdir("old"))
		require.Zero(t, m.Rename("x", "y"))
		require.Zero(t, m.Mkdir("x", 0o700))
		if seed%2 == 0 {
			syncPath(t, m, "new/er")
		}
		d.PowerCut(chance(seed))
		var left []string
		for _, content := range image(d) {
			left = append(left, content)
		}
		require.ElementsMatch(t, []string{"old/f", "old/g", "x"}, left, "seed %d: %v", seed, d.Files(""))
	}
}

// The same steps and the same draws leave the same disk and tell the same loss; other draws another.
func TestPowerCutIsDeterministic(t *testing.T) {
	run := func(seed uint64) string {
		d, m := mounted()
		require.Zero(t, m.Mkdir("d", 0o700))
		for i := range 20 {
			h := write(t, m, fmt.Sprintf("d/%d", i), string(bytes.Repeat([]byte{byte(i)}, i*300)))
			if i%3 == 0 {
				require.Zero(t, h.Sync())
				_, errno := h.Pwrite([]byte("again"), int64(i))
				require.Zero(t, errno)
			}
			if i == 10 {
				syncPath(t, m, "d")
				syncPath(t, m, ".")
			}
		}
		loss := d.PowerCut(chance(seed))
		rotted, ok := d.Rot(chance(seed), "")
		return fmt.Sprint(loss, rotted, ok, image(d))
	}
	seen := map[string]bool{}
	for seed := range uint64(30) {
		assert.Equal(t, run(seed), run(seed))
		seen[run(seed)] = true
	}
	assert.Greater(t, len(seen), 15)
}

// A loss is told as it was.
func TestLoss(t *testing.T) {
	for seed := range uint64(200) {
		d, m := mounted()
		h := write(t, m, "f", string(bytes.Repeat([]byte("a"), SectorBytes)))
		require.Zero(t, h.Sync())
		syncPath(t, m, ".")
		_, errno := h.Pwrite(bytes.Repeat([]byte("b"), SectorBytes+10), SectorBytes-1)
		require.Zero(t, errno)
		require.Zero(t, write(t, m, "new", "12345").Sync())
		switch loss := d.PowerCut(chance(seed)); loss.Mode {
		case KeptNothing:
			assert.Equal(t, Loss{Mode: KeptNothing, Sectors: 4, Names: 1, Bytes: SectorBytes + 10 + 5}, loss)
		case KeptAll:
			assert.Equal(t, Loss{Mode: KeptAll}, loss)
		case KeptZeros:
			assert.Zero(t, loss.Names)
			if loss.Zeroed > 0 && loss.Sectors == 1 {
				assert.Equal(t, Loss{Mode: KeptZeros, Sectors: 1, Zeroed: 2, Bytes: SectorBytes + 10}, loss)
			}
		}
	}
}

// cutter cuts the power when the process enters its n-th write, and lets it die there.
type cutter struct {
	quiet
	d      *Disk
	left   int
	seed   uint64
	loss   Loss
	goesOn bool
}

func (c *cutter) Before(op Op, _ string) Fault {
	if op != OpWrite {
		return Fault{}
	}
	if c.left--; c.left == 0 {
		c.loss = c.d.PowerCut(chance(c.seed))
		left := image(c.d)
		if again := c.d.PowerCut(chance(c.seed + 1)); again.Torn || !maps.Equal(left, image(c.d)) {
			panic("the write came back")
		}
		if !c.goesOn {
			panic("killed")
		}
	}
	return Fault{}
}

// watcher notes which operations can be torn.
type watcher struct {
	quiet
	d     *Disk
	tears []bool
}

func (w *watcher) Before(Op, string) Fault {
	w.tears = append(w.tears, w.d.Tears())
	return Fault{}
}

// Only a write over the end of a sector, of something, can be torn.
func TestTears(t *testing.T) {
	d := New()
	w := &watcher{d: d}
	h := write(t, d.Mount(w), "f", "")
	for _, c := range []struct {
		p   []byte
		off int64
		can bool
	}{
		{bytes.Repeat([]byte("a"), SectorBytes), SectorBytes, false},
		{bytes.Repeat([]byte("a"), SectorBytes), SectorBytes + 1, true},
		{[]byte("ab"), SectorBytes - 1, true},
		{[]byte("ab"), SectorBytes, false},
		{make([]byte, 3*SectorBytes), 5, false},
	} {
		w.tears = nil
		_, errno := h.Pwrite(c.p, c.off)
		require.Zero(t, errno)
		require.Equal(t, []bool{c.can}, w.tears, "%d bytes at %d", len(c.p), c.off)
		require.Zero(t, h.Sync())
		require.Equal(t, []bool{c.can, false}, w.tears)
	}
}

// A power cut in the middle of a write leaves some of its sectors, in any subset, and what the write before it left.
func TestPowerCutInTheMiddleOfAWrite(t *testing.T) {
	seen, torn := map[string]bool{}, 0
	for seed := range uint64(3000) {
		d := New()
		c := &cutter{d: d, left: 2, seed: seed}
		m := d.Mount(c)
		h := write(t, m, "f", string(bytes.Repeat([]byte("a"), 3*SectorBytes)))
		require.Zero(t, h.Sync())
		syncPath(t, m, ".")
		// It begins and ends within a sector.
		require.PanicsWithValue(t, "killed", func() { h.Pwrite(bytes.Repeat([]byte("b"), 2*SectorBytes), SectorBytes/2) })
		b, _ := d.ReadFile("f")
		require.Len(t, b, 3*SectorBytes)
		seen[string([]byte{b[0], b[SectorBytes/2], b[SectorBytes], b[2*SectorBytes], b[2*SectorBytes+SectorBytes/2]})] = true
		if c.loss.Torn {
			torn++
		}
		requireSettled(t, d)
	}
	assert.ElementsMatch(t, []string{"aaaaa", "abaaa", "aabaa", "aaaba", "abbaa", "ababa", "aabba", "abbba"}, slices.Collect(maps.Keys(seen)))
	assert.Positive(t, torn)
}

// A write that a kill interrupts is forgotten: a power cut later does not bring it back.
func TestKilledWriteIsNotTorn(t *testing.T) {
	for seed := range uint64(50) {
		d := New()
		log := &hookLog{dieAt: OpWrite}
		h := open(t, d.Mount(log), "f", sys.O_CREAT|sys.O_RDWR)
		require.Panics(t, func() { h.Write([]byte("abc")) })
		assert.False(t, d.PowerCut(chance(seed)).Torn)
		b, _ := d.ReadFile("f")
		assert.Empty(t, b)
	}
}

// What was open when the power went, or before a wipe or the next mount, answers EIO and touches nothing.
func TestDeadHandles(t *testing.T) {
	for what, end := range map[string]func(*Disk){
		"power cut": func(d *Disk) { d.PowerCut(chance(1)) },
		"wipe":      func(d *Disk) { d.Wipe("g") },
		"mount":     func(d *Disk) { d.Mount(quiet{}) },
	} {
		d, m := mounted()
		h := write(t, m, "f", "abc")
		write(t, m, "g", "")
		require.Zero(t, h.Sync())
		syncPath(t, m, ".")
		end(d)
		_, errno := h.Write([]byte("x"))
		assert.Equal(t, sys.EIO, errno, what)
		assert.Equal(t, sys.EIO, h.Truncate(0), what)
		assert.Equal(t, sys.EIO, h.Sync(), what)
		assert.Equal(t, sys.EIO, m.Unlink("f"), what)
		b, _ := d.ReadFile("f")
		assert.Equal(t, "abc", string(b), what)
	}
	d := New()
	c := &cutter{d: d, left: 1, goesOn: true}
	_, errno := open(t, d.Mount(c), "f", sys.O_CREAT|sys.O_RDWR).Write([]byte("abc"))
	assert.Equal(t, sys.EIO, errno, "cut from within")
}

// Names that nobody syncs do not pile up: the oldest become durable.
func TestUnsyncedNamesAreBounded(t *testing.T) {
	d, m := mounted()
	for i := range MaxUnsyncedOps + 10 {
		write(t, m, fmt.Sprintf("tmp%d", i), "")
	}
	assert.Len(t, d.unsynced, MaxUnsyncedOps)
	assert.Len(t, d.root.dir.synced, 10)
}
