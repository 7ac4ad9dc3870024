package sim

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawn(seed uint64, nodes int) Decisions {
	return decide(&Options{Seed: seed, Nodes: nodes, Duration: time.Minute})
}

// What is written is read back, whatever the seed; a changed line shows.
func TestDecisionsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawn(rapid.Uint64().Draw(t, "seed"), rapid.SampledFrom([]int{3, 5}).Draw(t, "nodes"))
		d.Module, d.Hash, d.Verdict = "m", rapid.Uint64().Draw(t, "hash"), VerdictSafety
		var b bytes.Buffer
		require.NoError(t, d.Write(&b))
		got, err := ReadDecisions(bytes.NewReader(b.Bytes()))
		require.NoError(t, err)
		d.Untouched = true
		assert.Equal(t, &d, got)
		if len(d.Faults) == 0 {
			return
		}
		lines := strings.SplitAfter(b.String(), "\n")
		edited := strings.Join(append(lines[:1:1], lines[2:]...), "")
		got, err = ReadDecisions(strings.NewReader(edited))
		require.NoError(t, err)
		assert.False(t, got.Untouched)
		assert.Equal(t, d.Faults[1:], got.Faults[:len(got.Faults):len(got.Faults)])
	})
}

// Decisions that nobody has played yet have no end, and count as edited.
func TestUnplayedDecisions(t *testing.T) {
	d := drawn(1, 3)
	var b bytes.Buffer
	require.NoError(t, d.Write(&b))
	assert.NotContains(t, b.String(), `"end"`)
	got, err := ReadDecisions(&b)
	require.NoError(t, err)
	assert.False(t, got.Untouched)
	assert.Empty(t, got.Verdict)
}

// A log that cannot be played is refused with the line, or the fault, and the reason.
func TestBadDecisions(t *testing.T) {
	d := drawn(1, 3)
	d.Faults, d.Verdict = d.Faults[:1], VerdictOK
	var b bytes.Buffer
	require.NoError(t, d.Write(&b))
	good := b.String()
	head, rest, _ := strings.Cut(good, "\n")
	for want, text := range map[string]string{
		"it is empty":                    "",
		"line 1":                         "not json\n",
		"format \"x\"":                   `{"format":"x","seed":"1","module":"","plan":{}}` + "\n",
		"seed \"one\"":                   strings.Replace(good, `"seed":"0x1"`, `"seed":"one"`, 1),
		"line 2":                         head + "\n{}garbage\n",
		"unknown field":                  head + "\n" + `{"id":1,"kind":"kill","at":3,"member":"m1","what":1}` + "\n",
		"unknown kind \"hit\"":           head + "\n" + `{"id":1,"kind":"hit","at":3,"member":"m1"}` + "\n",
		"must end by":                    head + "\n" + `{"id":1,"kind":"kill","at":99000000000,"member":"m1"}` + "\n",
		"expect m1 to m3":                head + "\n" + `{"id":1,"kind":"kill","at":3,"member":"m4"}` + "\n",
		"n=-1":                           head + "\n" + `{"id":1,"kind":"kill","at":3,"member":"m1","n":-1}` + "\n",
		"n=300; expect 0 to 299 of kill": head + "\n" + `{"id":1,"kind":"kill","at":3,"member":"m1","n":300}` + "\n",
		"n=1; expect 0 to 0 of pause":    head + "\n" + `{"id":1,"kind":"pause","at":3,"member":"m1","n":1}` + "\n",
		"fault 7: there are two":         head + "\n" + strings.Repeat(`{"id":7,"kind":"kill","at":3,"member":"m1"}`+"\n", 2),
		"more after the end":             good + "{}\n",
		"plan: nodes: 9":                 strings.Replace(head, `"nodes":3`, `"nodes":9`, 1) + "\n" + rest,
	} {
		_, err := ReadDecisions(strings.NewReader(text))
		require.ErrorIs(t, err, ErrDecisions, want)
		assert.ErrorContains(t, err, want)
	}
}

// The ends of what may be drawn for N are taken, for every kind, and what lies beyond them is not.
func TestFaultNumbers(t *testing.T) {
	d := drawn(1, 3)
	for i := range kinds {
		k := &kinds[i]
		for n, ok := range map[int64]bool{k.lo - 1: false, k.lo: true, max(k.lo, k.hi-1): true, max(k.hi, k.lo+1): false} {
			d.Faults = []Fault{{ID: 1, Kind: k.name, At: 5e9, For: 1e9, Member: "m1", Other: "m2", N: n}}
			assert.Equal(t, ok, d.check() == nil, "%s %d", k.name, n)
		}
	}
}

// Whatever is changed in a log shows, its last line included.
func TestTouchedDecisionsShow(t *testing.T) {
	d := drawn(1, 3)
	d.Module, d.Commit, d.Hash, d.Verdict = "m", "c", 0x1234, VerdictOK
	var b bytes.Buffer
	require.NoError(t, d.Write(&b))
	for from, to := range map[string]string{
		`"seed":"0x1"`:         `"seed":"0x2"`,
		`"module":"m"`:         `"module":"n"`,
		`"commit":"c"`:         `"commit":"d"`,
		`"nodes":3`:            `"nodes":5`,
		`{"id":1,`:             `{"id":10001,`,
		`"0x0000000000001234"`: `"0x0000000000001235"`,
		`"verdict":"ok"`:       `"verdict":"safety"`,
		`"hash":`:              `"hash" :`, // the same run, and no change to speak of
		"\n" + `{"end"`:        "\n" + `{"id":5000,"kind":"kill","at":3000000000,"member":"m1"}` + "\n" + `{"end"`,
		`,"sum":"0x`:           `,"sum":"0xf`,
	} {
		text := strings.Replace(b.String(), from, to, 1)
		require.NotEqual(t, b.String(), text, from)
		got, err := ReadDecisions(strings.NewReader(text))
		require.NoError(t, err, from)
		assert.Equal(t, from == `"hash":`, got.Untouched, from)
	}
}

// FuzzReadDecisions: no log makes the reader panic, and what it takes can be written and read again.
func FuzzReadDecisions(f *testing.F) {
	d := drawn(7, 5)
	var b bytes.Buffer
	require.NoError(f, d.Write(&b))
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ReadDecisions(bytes.NewReader(text))
		if err != nil {
			require.ErrorIs(t, err, ErrDecisions)
			return
		}
		var b bytes.Buffer
		require.NoError(t, d.Write(&b))
		again, err := ReadDecisions(&b)
		require.NoError(t, err)
		again.Untouched = d.Untouched
		assert.Equal(t, d.Faults, again.Faults)
	})
}
