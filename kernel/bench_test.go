package kernel

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// populated holds so many keys of 256 bytes in directories of 1,000.
func populated(b *testing.B, keys int) *leader {
	l := newLeader(b)
	value := strings.Repeat("v", 256)
	for from := 0; from < keys; from += 1000 {
		list := make([]Command, min(1000, keys-from))
		for i := range list {
			list[i] = set(fmt.Sprintf("/d%d/k%d", from/1000, from+i), value)
		}
		l.batch(list...)
	}
	return l
}

// BenchmarkApply applies entries that fold 64 sets of 256 bytes each, into
// 100,000 keys: over what is there, and making new keys.
func BenchmarkApply(b *testing.B) {
	for _, name := range []string{"replace", "create"} {
		b.Run(name, func(b *testing.B) {
			l := populated(b, 100_000)
			value := strings.Repeat("w", 256)
			entries := make([][]byte, 2000)
			for i := range entries {
				list := make([]Command, 64)
				for j := range list {
					k := (i*64 + j) * 7919
					list[j] = set(fmt.Sprintf("/d%d/k%d", k%100_000/1000, k%100_000), value)
					if name == "create" {
						list[j].Path = fmt.Sprintf("/n%d/k%d", k%100, i*64+j)
					}
				}
				entries[i] = batch(b, l.session, 0, list...)
			}
			b.ReportAllocs()
			b.SetBytes(64 * 256)
			i := 0
			for b.Loop() {
				l.index++
				if _, err := l.s.Apply(l.index, entries[i%len(entries)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(i*64), "ns/set")
		})
	}
}

// BenchmarkViewThenSet is the price of copy on write: each set finds its
// pages shared with a view.
func BenchmarkViewThenSet(b *testing.B) {
	l := populated(b, 100_000)
	entry := batch(b, l.session, 0, set("/d7/k7000", "w"))
	b.ReportAllocs()
	for b.Loop() {
		l.s.View()
		l.index++
		if _, err := l.s.Apply(l.index, entry); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkView(b *testing.B) {
	l := populated(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		l.s.View()
	}
}

func BenchmarkGet(b *testing.B) {
	v := populated(b, 100_000).s.View()
	b.ReportAllocs()
	for b.Loop() {
		if _, refused := v.Get("/d77/k77777"); refused != nil {
			b.Fatal(refused)
		}
	}
}

// BenchmarkChildren lists the root of 100,000 keys, whose 100 directories
// are skipped over, and one directory of 1,000.
func BenchmarkChildren(b *testing.B) {
	v := populated(b, 100_000).s.View()
	for dir, want := range map[string]int{"/": 100, "/d50": 1000} {
		b.Run(dir, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				v.Children(dir, func(*Node) bool { n++; return true })
				if n != want {
					b.Fatal(n)
				}
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	s := populated(b, 200_000).s
	var buf bytes.Buffer
	if _, err := s.Snapshot().WriteTo(&buf); err != nil {
		b.Fatal(err)
	}
	size := int64(buf.Len())
	b.Run("write", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Snapshot().WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Restore(bytes.NewReader(buf.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestApplyAllocatesLittle: per set of an entry a node, its value and an
// event; nothing grows with the entry but its lists.
func TestApplyAllocatesLittle(t *testing.T) {
	l := newLeader(t)
	list := make([]Command, 64)
	for i := range list {
		list[i] = set(fmt.Sprintf("/k%d", i), "v")
	}
	l.batch(list...)
	entry := batch(t, l.session, 0, list...)
	l.index++
	allocs := testing.AllocsPerRun(100, func() {
		l.index++
		if _, err := l.s.Apply(l.index, entry); err != nil {
			t.Fatal(err)
		}
	})
	assert.LessOrEqual(t, allocs, float64(3*64+8))
}
