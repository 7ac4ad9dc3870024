package conform

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// maxShown bounds what a difference quotes.
const maxShown = 300

// show quotes a value for people.
func show(v any) string {
	if _, none := v.(missing); none {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > maxShown {
		return fmt.Sprintf("%s... (%d bytes)", b[:maxShown], len(b))
	}
	return string(b)
}

// comparison collects the differences between an expected and a real value.
type comparison struct {
	*scope
	ordered bool // whether the order of nodes counts
	diffs   []string
}

func (c *comparison) add(at string, err error) {
	if err != nil {
		c.diffs = append(c.diffs, at+": "+err.Error())
	}
}

// match compares values; at is the place named in a difference.
func (c *comparison) match(want, got any, at string) {
	switch w := want.(type) {
	case string:
		c.matchString(w, got, at)
	case map[string]any:
		c.matchObject(w, got, at)
	case []any:
		c.matchArray(w, got, at)
	default: // numbers, booleans and null have one spelling each
		c.add(at, demand(got == want, show(want), got))
	}
}

func (c *comparison) matchString(want string, got any, at string) {
	if isToken(want) {
		c.add(at, c.token(want, got))
		return
	}
	if strings.HasPrefix(want, "@@") {
		want = want[1:]
	}
	text, err := c.expand(want)
	if err == nil {
		err = demand(got == text, show(text), got)
	}
	c.add(at, err)
}

func (c *comparison) matchObject(want map[string]any, got any, at string) {
	g, ok := got.(map[string]any)
	if !ok {
		c.add(at, demand(false, "an object", got))
		return
	}
	for _, k := range sortedKeys(want) {
		v, ok := g[k]
		if !ok {
			v = missing{}
		}
		c.match(want[k], v, at+"."+k)
	}
	for _, k := range sortedKeys(g) {
		if _, ok := want[k]; !ok {
			c.add(at+"."+k, demand(false, "nothing", g[k]))
		}
	}
}

func (c *comparison) matchArray(want []any, got any, at string) {
	g, ok := got.([]any)
	if !ok {
		c.add(at, demand(false, "an array", got))
		return
	}
	if len(want) > 0 && want[0] == "@contains" {
		c.matchSome(want[1:], g, at)
		return
	}
	if len(want) != len(g) {
		c.add(at, fmt.Errorf("want %d elements, got %d: %s", len(want), len(g), show(g)))
		return
	}
	if !c.ordered {
		want, g = c.sortByKey(want), c.sortByKey(g)
	}
	for i := range want {
		c.match(want[i], g[i], fmt.Sprintf("%s[%d]", at, i))
	}
}

// matchSome demands that each wanted element is among those got, and that no
// element has a key named by {"@lacks": key}.
func (c *comparison) matchSome(want, got []any, at string) {
	for _, w := range want {
		if key, ok := dig(w, "@lacks"); ok {
			lacked, err := c.expand(plain(key))
			c.add(at, err)
			for _, g := range got {
				if k, ok := dig(g, "key"); ok && k == lacked {
					c.add(at, fmt.Errorf("must not hold %s", show(g)))
				}
			}
			continue
		}
		if !slices.ContainsFunc(got, func(g any) bool {
			try := comparison{scope: c.scope, ordered: c.ordered}
			try.match(w, g, at)
			return len(try.diffs) == 0
		}) {
			c.add(at, fmt.Errorf("want an element like %s, got %s", show(w), show(got)))
		}
	}
}

// sortByKey orders nodes by their key, expanded; anything but a list of nodes
// stays as it is.
func (c *comparison) sortByKey(list []any) []any {
	type node struct {
		key string
		v   any
	}
	nodes := make([]node, len(list))
	for i, v := range list {
		k, ok := dig(v, "key")
		text, isText := k.(string)
		if !ok || !isText {
			return list
		}
		key, err := c.expand(text)
		if err != nil {
			key = text // an answer may hold what looks like a placeholder
		}
		nodes[i] = node{key, v}
	}
	sort.SliceStable(nodes, func(i, j int) bool { return nodes[i].key < nodes[j].key })
	out := make([]any, len(list))
	for i := range nodes {
		out[i] = nodes[i].v
	}
	return out
}
