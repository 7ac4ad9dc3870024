package torture

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"holdfast/jepsen"
)

// judgeViews holds the journal against what each member has and returns what
// is wrong:
//
//   - a confirmed key is there, with its value and its index;
//   - a key whose write certainly had no effect is not;
//   - no two increments of a counter were confirmed with the same result, and
//     the counter is at least the number of confirmed ones and at most that
//     number plus the unknown ones.
func judgeViews(h jepsen.History, views map[string]view) []string {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(views)) {
		for i := range h {
			if o := &h[i]; o.Op == jepsen.Write {
				if w := judgeKey(o, views[name]); w != "" {
					wrong = append(wrong, name+": "+w)
				}
			}
		}
	}
	for i := range counters {
		wrong = append(wrong, judgeCounter(h, counterKey(i), views)...)
	}
	return wrong
}

func judgeKey(o *jepsen.Operation, v view) string {
	n, ok := v[o.Key]
	switch {
	case o.Outcome == jepsen.OK && !ok:
		return fmt.Sprintf("confirmed key is lost: %s = %q, index %d", o.Key, o.Arg, o.ModifiedIndex)
	case o.Outcome == jepsen.OK && (n.Value != o.Arg || n.ModifiedIndex != o.ModifiedIndex):
		return fmt.Sprintf("confirmed key is changed: %s = %q, index %d, is %q, index %d", o.Key, o.Arg, o.ModifiedIndex, n.Value, n.ModifiedIndex)
	case o.Outcome == jepsen.Fail && ok:
		return fmt.Sprintf("key of a write that failed (%s) is there: %s = %q", o.Error, o.Key, n.Value)
	}
	return ""
}

func judgeCounter(h jepsen.History, key string, views map[string]view) []string {
	var wrong []string
	confirmed, unknown := map[string]int{}, 0
	for i := range h {
		o := &h[i]
		if o.Key != key || o.Op != jepsen.CAS {
			continue
		}
		switch o.Outcome {
		case jepsen.OK:
			if confirmed[o.Arg]++; confirmed[o.Arg] == 2 {
				wrong = append(wrong, fmt.Sprintf("%s: two increments to %s were confirmed: one is lost", key, o.Arg))
			}
		case jepsen.Unknown:
			unknown++
		}
	}
	total := 0
	for _, n := range confirmed {
		total += n
	}
	for _, name := range slices.Sorted(maps.Keys(views)) {
		n, err := strconv.Atoi(views[name][key].Value)
		if err != nil || n < total || n > total+unknown {
			wrong = append(wrong, fmt.Sprintf("%s: %s is %q after %d confirmed and %d unknown increments", name, key, views[name][key].Value, total, unknown))
		}
	}
	return wrong
}

// judgeHashes returns the samples at which members differ.
func judgeHashes(samples []sample) []string {
	var wrong []string
	for _, s := range samples {
		names := slices.Sorted(maps.Keys(s.hashes))
		for _, n := range names {
			if s.hashes[n] != s.hashes[names[0]] {
				wrong = append(wrong, fmt.Sprintf("history hashes at log index %d differ: %v", s.index, s.hashes))
				break
			}
		}
	}
	return wrong
}

// errBlind says that a judge let a planted fault pass.
var errBlind = errors.New("a judge is blind")

// selfCheck plants faults, one at a time, into copies of what the run found.
// Each must make the judges find more than without it.
func selfCheck(h jepsen.History, views map[string]view, samples []sample) error {
	before := len(judgeViews(h, views)) + len(judgeHashes(samples))
	var blind []string
	refuse := func(fault string, h jepsen.History, views map[string]view, samples []sample) {
		if len(judgeViews(h, views))+len(judgeHashes(samples)) <= before {
			blind = append(blind, fault)
		}
	}
	plus := func(o jepsen.Operation) jepsen.History { return append(slices.Clone(h), o) }
	refuse("a confirmed key that no member has", plus(jepsen.Operation{Op: jepsen.Write, Key: root + "/planted", Arg: "1", Outcome: jepsen.OK}), views, samples)
	refuse("an increment confirmed twice", withTwin(h), views, samples)
	for _, name := range slices.Sorted(maps.Keys(views)) {
		refuse("a key missing on "+name, h, without(h, views, name), samples)
		refuse("a counter put back on "+name, h, putBack(views, name), samples)
	}
	if len(samples) > 0 {
		bad := sample{index: samples[0].index, hashes: maps.Clone(samples[0].hashes)}
		for _, name := range slices.Sorted(maps.Keys(bad.hashes)) {
			bad.hashes[name] += "0"
			break
		}
		refuse("another hash", h, views, append(slices.Clone(samples), bad))
	}
	if len(blind) > 0 {
		return fmt.Errorf("torture: %w: not refused: %s", errBlind, strings.Join(blind, ", "))
	}
	return nil
}

// withTwin repeats the first confirmed increment.
func withTwin(h jepsen.History) jepsen.History {
	for i := range h {
		if h[i].Op == jepsen.CAS && h[i].Outcome == jepsen.OK {
			return append(slices.Clone(h), h[i])
		}
	}
	return h // no increment was confirmed: not refused, and rightly reported
}

// without leaves the first confirmed key out of one member's view.
func without(h jepsen.History, views map[string]view, name string) map[string]view {
	out := maps.Clone(views)
	out[name] = maps.Clone(views[name])
	for i := range h {
		if h[i].Op == jepsen.Write && h[i].Outcome == jepsen.OK {
			delete(out[name], h[i].Key)
			break
		}
	}
	return out
}

// putBack sets every counter of one member to a value below all increments.
func putBack(views map[string]view, name string) map[string]view {
	out := maps.Clone(views)
	out[name] = maps.Clone(views[name])
	for i := range counters {
		n := out[name][counterKey(i)]
		n.Value = "-1"
		out[name][counterKey(i)] = n
	}
	return out
}
