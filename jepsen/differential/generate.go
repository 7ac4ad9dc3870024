package differential

import (
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
)

// maxSteps bounds a generated script.
const maxSteps = 24

// The words scripts are made of. Few names make many collisions; the odd ones
// are the spellings servers tend to disagree about.
var (
	names    = []string{"a", "a", "a", "b", "b", "c", "_h"}
	oddNames = []string{"é", "%C3%A9", "x%20y", "x+y", "%2F", "a%2Fb", ".", "..", "%2e", "%2E%2e", "...", "", "日本", "a%00", "a;b", "a:b",
		"a=b", "a@b", "%3F", "%23", "~", "%25", "%zz", "A", "_", "__h", "%5F", "%22", "%3C%26%3E", "%FF", "%E2%80%A8", "%F0%9F%98%80", "a.", ".a", "00000000000000000001"}
	values    = []string{"1", "2", "1", "2", "v", ""}
	oddValues = []string{"héllo wörld", "<a href=\"x\">&amp;</a>", "日本語", "\u2028\u2029", "\xff\xfe", "line\nbreak\ttab", "back\\slash \"quoted\"", "😀", "\x00", "\x7f\x1b",
		strings.Repeat("long", 700), "a=b&c=d", "+ %", "{\"json\":true}", "${x}", "'", "\ufeff", "\xed\xa0\x80"}
	bools    = []string{"true", "true", "true", "false"}
	oddBools = []string{"1", "0", "t", "T", "TRUE", "True", "f", "F", "FALSE", "False", "yes", "2", "", "tRUE", "%20true", "null", "true&dir=false"}
	ttls     = []string{"100", "1000", "100000", "86400"}
	oddTTLs  = []string{"-1", "x", "", "1.5", "1e3", "0x10", "+500", "00300", "%20100", "99999999999999999999", "100s"}
	indices  = []string{"0", "1", "99999999", "-1", "x", "", "1.0", "18446744073709551615", "18446744073709551616", "007"}
)

// generator draws one script.
type generator struct {
	rng *rand.Rand
	// oddity is the chance of odd words, drawn once a script, so that many
	// scripts are plain and go deep and others are strange throughout.
	oddity float64
	steps  []Step
	writes []int // IDs of steps that may have changed something
}

// Generate makes the script of a seed, always the same.
func Generate(seed uint64) Script {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
	g.oddity = []float64{0, 0.03, 0.1, 0.3}[g.rng.IntN(4)]
	for n := 4 + g.rng.IntN(maxSteps-3); len(g.steps) < n; {
		g.add(g.step())
	}
	return Script{Seed: seed, Steps: g.steps}
}

func (g *generator) chance(p float64) bool { return g.rng.Float64() < p }

// pick draws from the plain words or, seldom, from the odd ones.
func (g *generator) pick(plain, odd []string) string {
	if g.chance(g.oddity) {
		return odd[g.rng.IntN(len(odd))]
	}
	return plain[g.rng.IntN(len(plain))]
}

// key draws a path; more often than not one that was written before, or its
// neighbourhood, for otherwise most answers would be "not found".
func (g *generator) key() string {
	if len(g.writes) > 0 && g.chance(0.6) {
		k := g.earlier().Key
		switch up := strings.LastIndex(k, "/"); {
		case up > 0 && g.chance(0.15):
			k = k[:up]
		case g.chance(0.1):
			k += "/" + g.pick(names, oddNames)
		}
		return k
	}
	var b strings.Builder
	for range []int{1, 1, 1, 2, 2, 3, 0}[g.rng.IntN(7)] {
		b.WriteString("/" + g.pick(names, oddNames))
	}
	if g.chance(g.oddity / 2) {
		b.WriteString("/")
	}
	return b.String()
}

func (g *generator) add(st Step) {
	st.ID = len(g.steps)
	if st.Method != "GET" && st.Method != "HEAD" && st.Method != "OPTIONS" {
		g.writes = append(g.writes, st.ID)
	}
	g.steps = append(g.steps, st)
}

func (g *generator) step() Step {
	switch n := g.rng.IntN(100); {
	case n < 38:
		return g.put()
	case n < 58:
		return g.get()
	case n < 68:
		return g.post()
	case n < 82:
		return g.delete()
	case n < 93:
		return g.replay()
	case n < 97:
		return g.live()
	default:
		return Step{Method: []string{"HEAD", "HEAD", "OPTIONS", "PATCH"}[g.rng.IntN(4)], Key: g.key(), Query: g.flags("recursive", "quorum", "sorted")}
	}
}

// flag spells one boolean parameter.
func (g *generator) flag(name string) string {
	if g.chance(g.oddity / 3) {
		return name // not even an equals sign
	}
	return name + "=" + g.pick(bools, oddBools)
}

// flags draws some of the named boolean parameters.
func (g *generator) flags(of ...string) []string {
	var q []string
	for _, name := range of {
		if g.chance(0.3) {
			q = append(q, g.flag(name))
		}
	}
	return q
}

// put draws every kind of set, update, create, swap and refresh.
func (g *generator) put() Step {
	if g.chance(0.3) {
		return g.conditional()
	}
	st := Step{Method: "PUT", Key: g.key()}
	var params []string
	if g.chance(0.85) {
		params = append(params, "value="+url.QueryEscape(g.pick(values, oddValues)))
	}
	if g.chance(0.2) {
		params = append(params, g.flag("dir"))
	}
	if g.chance(0.25) {
		params = append(params, "ttl="+g.pick(ttls, oddTTLs))
	}
	if g.chance(0.03) {
		params = append(params, g.flag("refresh"))
	}
	if g.chance(0.1) {
		params = append(params, g.flag("noValueOnSuccess"))
	}
	params = append(params, g.conditions(&st, 0.08)...)
	if g.chance(g.oddity / 3) {
		params = append(params, g.stray())
	}
	g.place(&st, params)
	return st
}

// conditional draws a swap, an update or a refresh of something written before,
// with just what such a request needs.
func (g *generator) conditional() Step {
	st := Step{Method: "PUT", Key: g.key()}
	value := "value=" + url.QueryEscape(g.pick(values, oddValues))
	var params []string
	switch g.rng.IntN(4) {
	case 0:
		params = []string{value, "prevValue=" + url.QueryEscape(g.pick(values[:4], oddValues))}
	case 1:
		params = append(g.conditionIndex(&st), value)
	case 2:
		params = []string{value, g.flag("prevExist")}
	default:
		params = []string{"refresh=true", "ttl=" + url.QueryEscape(g.pick(ttls, oddTTLs))}
		if g.chance(0.7) {
			params = append(params, g.flag("prevExist"))
		}
	}
	if g.chance(0.2) {
		params = append(params, "ttl="+g.pick(ttls, ttls))
	}
	g.place(&st, params)
	return st
}

// conditions draws prevExist, prevValue and prevIndex, each with the chance.
func (g *generator) conditions(st *Step, chance float64) []string {
	var params []string
	if g.chance(chance) {
		params = append(params, g.flag("prevExist"))
	}
	if g.chance(chance) {
		params = append(params, "prevValue="+url.QueryEscape(g.pick(values, oddValues)))
	}
	if g.chance(chance) {
		params = append(params, g.conditionIndex(st)...)
	}
	return params
}

// conditionIndex gives the step a prevIndex, mostly one that was seen.
func (g *generator) conditionIndex(st *Step) []string {
	if len(g.writes) == 0 || g.chance(0.2) {
		return []string{"prevIndex=" + url.QueryEscape(indices[g.rng.IntN(len(indices))])}
	}
	w := g.earlier()
	st.Key = w.Key // or the index would hardly ever fit
	st.Ref = &Ref{Step: w.ID, Param: "prevIndex", Delta: []int{0, 0, 0, 1, -1}[g.rng.IntN(5)]}
	return nil
}

// earlier draws one of the last steps that may have changed something.
func (g *generator) earlier() Step {
	n := min(len(g.writes), 4)
	return g.steps[g.writes[len(g.writes)-1-g.rng.IntN(n)]]
}

// stray draws a parameter where it does not belong.
func (g *generator) stray() string {
	return []string{g.flag("wait"), g.flag("stream"), g.flag("recursive"), g.flag("sorted"), g.flag("quorum"), "waitIndex=x", "unknown=1", "value=1;x=2", "%zz=1", "="}[g.rng.IntN(10)]
}

// place puts parameters into the form, the query, or both.
func (g *generator) place(st *Step, params []string) {
	st.Form = []string{}
	for _, p := range params {
		switch {
		case g.chance(0.1):
			st.Query = append(st.Query, p)
		case g.chance(g.oddity / 2):
			st.Query = append(st.Query, p)
			st.Form = append(st.Form, p)
		default:
			st.Form = append(st.Form, p)
		}
	}
	if g.chance(g.oddity / 2) { // a body that is not said to be a form
		st.Body, st.Form = strings.Join(st.Form, "&"), nil
	}
}

func (g *generator) get() Step {
	st := Step{Method: "GET", Key: g.key(), Query: g.flags("recursive", "sorted", "quorum")}
	if g.chance(g.oddity / 2) {
		st.Query = append(st.Query, []string{"waitIndex=x", "waitIndex=1", "stream=true", "wait=false", "wait=x", "wait", "ttl=x", "prevIndex=x"}[g.rng.IntN(8)])
	}
	return st
}

func (g *generator) post() Step {
	st := Step{Method: "POST", Key: g.key()}
	params := []string{"value=" + url.QueryEscape(g.pick(values, oddValues))}
	if g.chance(0.15) {
		params = append(params, "ttl="+g.pick(ttls, oddTTLs))
	}
	if g.chance(0.15) {
		params = append(params, g.flag("dir"))
	}
	if g.chance(0.1) {
		params = append(params, g.flag("noValueOnSuccess"))
	}
	params = append(params, g.conditions(&st, g.oddity/4)...)
	g.place(&st, params)
	return st
}

func (g *generator) delete() Step {
	st := Step{Method: "DELETE", Key: g.key(), Query: g.flags("dir", "recursive")}
	st.Query = append(st.Query, g.conditions(&st, 0.15)...)
	return st
}

// replay draws a watch for an event that an earlier step made, if it did.
func (g *generator) replay() Step {
	if len(g.writes) == 0 {
		return g.put()
	}
	w := g.earlier()
	st := Step{Method: "GET", Key: w.Key, Query: []string{"wait=true"}, Watch: Replay,
		Ref: &Ref{Step: w.ID, Param: "waitIndex", Delta: -g.rng.IntN(3)}}
	switch {
	case w.Method == "POST", g.chance(0.3):
		st.Query = append(st.Query, "recursive=true")
	}
	if parent := strings.LastIndex(st.Key, "/"); parent > 0 && g.chance(0.2) {
		st.Key = st.Key[:parent]
		st.Query = []string{"wait=true", "recursive=true"}
	}
	if w.Method == "DELETE" && len(w.Query) > 0 && g.chance(0.4) {
		st.Key += "/" + strconv.Itoa(g.rng.IntN(3)) // below what was removed
	}
	return st
}

// live draws a watch that stays open.
func (g *generator) live() Step {
	st := Step{Method: "GET", Key: g.key(), Query: []string{"wait=true"}, Watch: Live}
	if g.chance(0.6) {
		st.Query = append(st.Query, "recursive=true")
	}
	if g.chance(0.5) {
		st.Query = append(st.Query, "stream=true")
	}
	return st
}
