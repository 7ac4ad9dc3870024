package disk

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/experimental/sys"
	"pgregory.net/rapid"
)

// fileModel is a naive account of what may become of one file.
type fileModel struct {
	durable, volatile []byte
	lowest            int
}

func (m *fileModel) write(p []byte, off int) {
	if off > len(m.volatile) {
		m.volatile = append(m.volatile, make([]byte, off-len(m.volatile))...)
	}
	m.volatile = append(slices.Clone(m.volatile[:off]), append(slices.Clone(p), m.volatile[min(off+len(p), len(m.volatile)):]...)...)
}

func (m *fileModel) truncate(size int) {
	m.lowest = min(m.lowest, size)
	m.volatile = append(slices.Clone(m.volatile[:min(size, len(m.volatile))]), make([]byte, max(size-len(m.volatile), 0))...)
}

func (m *fileModel) settle(b []byte) {
	m.durable, m.volatile, m.lowest = b, slices.Clone(b), len(b)
}

// allows says why a cut cannot have left b; empty: it can.
func (m *fileModel) allows(b []byte) string {
	why := ""
	for _, base := range [][]byte{m.durable, m.durable[:min(m.lowest, len(m.durable))]} {
		if why = m.allowsFrom(base, b); why == "" {
			return ""
		}
	}
	return why
}

func (m *fileModel) allowsFrom(base, b []byte) string {
	between := len(b) > len(base) && len(b) < len(m.volatile) && len(b)%SectorBytes == 0
	if len(b) != len(base) && len(b) != len(m.volatile) && !between {
		return fmt.Sprintf("length %d, synced %d, newest %d", len(b), len(base), len(m.volatile))
	}
	if len(b) < len(base) {
		return "shorter than what was synced"
	}
	padded := func(x []byte) []byte { return append(slices.Clone(x), make([]byte, max(len(b)-len(x), 0))...)[:len(b)] }
	old, now := padded(base), padded(m.volatile)
	copy(now[min(len(m.volatile), len(b)):], old[min(len(m.volatile), len(b)):]) // a cut that did not persist
	for at := 0; at < len(b); at += SectorBytes {
		end := min(at+SectorBytes, len(b))
		if got := b[at:end]; !bytes.Equal(got, old[at:end]) && !bytes.Equal(got, now[at:end]) {
			return fmt.Sprintf("sector at %d is neither old nor new", at)
		}
	}
	return ""
}

// Whatever is written, cut short and synced, a power cut leaves a file in a state that the naive model allows, and a synced
// file as it was.
func TestPowerCutOfAFileAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, hooks, failed := New(), &faulty{op: OpSync}, false
		m := d.Mount(hooks)
		h := open(t, m, "f", sys.O_CREAT|sys.O_RDWR)
		syncPath(t, m, ".")
		var model fileModel
		const most = 5 * SectorBytes
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				off := rapid.IntRange(0, most).Draw(t, "off")
				p := rapid.SliceOfN(rapid.Byte(), 1, 3*SectorBytes).Draw(t, "bytes")
				_, errno := h.Pwrite(p, int64(off))
				require.Zero(t, errno)
				model.write(p, off)
			},
			"truncate": func(t *rapid.T) {
				size := rapid.IntRange(0, most).Draw(t, "size")
				require.Zero(t, h.Truncate(int64(size)))
				model.truncate(size)
			},
			"sync": func(t *rapid.T) {
				require.Zero(t, h.Sync())
				b := d.root.dir.get("f").file.durable()
				require.Empty(t, model.allows(b))
				require.Len(t, b, len(model.volatile))
				if !failed {
					require.True(t, bytes.Equal(model.volatile, b))
				}
				model.durable, model.lowest = b, len(b)
			},
			"sync that fails": func(t *rapid.T) {
				hooks.fault = Fault{Errno: sys.EIO, Chance: chance(rapid.Uint64().Draw(t, "seed"))}
				require.Equal(t, sys.EIO, h.Sync())
				hooks.fault, failed = Fault{}, true
				b := d.root.dir.get("f").file.durable()
				require.Empty(t, model.allows(b))
				model.durable, model.lowest = b, min(len(b), len(model.volatile))
			},
			"cut": func(t *rapid.T) {
				loss := d.PowerCut(chance(rapid.Uint64().Draw(t, "seed")))
				b, ok := d.ReadFile("f")
				require.True(t, ok)
				require.Empty(t, model.allows(b))
				if loss.Mode == KeptNothing {
					require.True(t, bytes.Equal(model.durable, b))
				}
				if loss.Mode == KeptAll {
					require.True(t, bytes.Equal(model.volatile, b))
				}
				require.Equal(t, loss.Bytes > 0, !bytes.Equal(model.volatile, b[:min(len(b), len(model.volatile))]), "bytes lost")
				requireSettled(t, d)
				model.settle(b)
				failed = false
				m = d.Mount(hooks)
				h = open(t, m, "f", sys.O_RDWR)
			},
			"": func(t *rapid.T) {
				b, ok := d.ReadFile("f")
				require.True(t, ok)
				require.True(t, bytes.Equal(model.volatile, b), "what the process sees")
			},
		})
	})
}

// names is a naive disk: which inode each path means.
type names map[string]uint64

// with returns the names after an operation, or nil if it cannot persist on top of them: it needs what it touches to be as
// the process saw it.
func (n names) with(seen, op names) names {
	out := maps.Clone(n)
	for path, ino := range op {
		if n[path] != seen[path] {
			return nil
		}
		if out[path] = ino; ino == 0 {
			delete(out, path)
		}
	}
	return out
}

// nameModel keeps every set of names that a power cut may leave.
type nameModel struct {
	seen    names
	allowed []names
}

func (m *nameModel) do(op names) {
	for _, n := range m.allowed {
		if with := n.with(m.seen, op); with != nil && !slices.ContainsFunc(m.allowed, func(o names) bool { return maps.Equal(o, with) }) {
			m.allowed = append(m.allowed, with)
		}
	}
	m.seen = m.seen.with(m.seen, op)
}

func (m *nameModel) syncDir(dir string) {
	m.allowed = slices.DeleteFunc(m.allowed, func(n names) bool {
		for _, name := range []string{"x", "y"} {
			if path := dir + "/" + name; n[path] != m.seen[path] {
				return true
			}
		}
		return false
	})
}

func namesOf(t require.TestingT, d *Disk) names {
	out := names{}
	for _, path := range d.Files("") {
		n, errno := d.walk(path)
		require.Zero(t, errno)
		out[path] = n.ino
	}
	return out
}

// Whatever is made, renamed (also across directories), removed and synced, a power cut leaves names that the naive model
// allows: each operation whole or not at all, none without what it builds on, none that was synced undone.
func TestPowerCutOfNamesAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, m := mounted()
		require.Zero(t, m.Mkdir("a", 0o700))
		require.Zero(t, m.Mkdir("b", 0o700))
		syncPath(t, m, ".")
		model := nameModel{seen: names{}, allowed: []names{{}}}
		path := rapid.SampledFrom([]string{"a/x", "a/y", "b/x", "b/y"})
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				p := path.Draw(t, "path")
				ino, _ := open(t, m, p, sys.O_CREAT|sys.O_RDWR).Ino()
				if model.seen[p] == 0 {
					model.do(names{p: ino})
				}
			},
			"remove": func(t *rapid.T) {
				p := path.Draw(t, "path")
				if m.Unlink(p) == 0 {
					model.do(names{p: 0})
				}
			},
			"rename": func(t *rapid.T) {
				from, to := path.Draw(t, "from"), path.Draw(t, "to")
				if m.Rename(from, to) == 0 && from != to {
					model.do(names{from: 0, to: model.seen[from]})
				}
			},
			"sync": func(t *rapid.T) {
				dir := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "dir")
				syncPath(t, m, dir)
				model.syncDir(dir)
			},
			"cut": func(t *rapid.T) {
				loss := d.PowerCut(chance(rapid.Uint64().Draw(t, "seed")))
				got := namesOf(t, d)
				require.True(t, slices.ContainsFunc(model.allowed, func(n names) bool { return maps.Equal(n, got) }), "left %v, allowed %v", got, model.allowed)
				if loss.Mode == KeptAll {
					require.Equal(t, model.seen, got)
				}
				requireSettled(t, d)
				model = nameModel{seen: got, allowed: []names{got}}
				m = d.Mount(quiet{})
			},
		})
	})
}
