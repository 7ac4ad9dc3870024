package differential

import (
	"bytes"
	"encoding/json"
	"net/url"
	"path"
	"strings"
)

// Three habits of etcd's watches are not followed, and forgiven here:
//
//   - A stream gets the event of a delete twice if it watches the very key.
//   - A watch below a directory that is removed hears of it only if the key it
//     watches exists at that moment, while the same watch replayed from the
//     ring hears of it always. Holdfast has one rule for both: always.
//   - A watch replayed from the ring shows hidden keys below the one it
//     watches, a live one does not. Holdfast has one rule for both: never.

// withoutRepeats leaves out each line that repeats the one before it, if it is
// the event of a removal.
func withoutRepeats(body []byte) []byte {
	var out, last []byte
	for line := range bytes.Lines(body) {
		if e, ok := parseEvent(line); ok && e.removal() && bytes.Equal(line, last) {
			continue
		}
		out, last = append(out, line...), line
	}
	return out
}

// removedAboveOnly tells whether the second server reported the removal of a
// directory where the first did not; what follows on either cannot be compared,
// for the watches may have ended at different events.
func removedAboveOnly(a, b []byte) bool {
	heard := map[string]int{}
	for line := range bytes.Lines(a) {
		if e, ok := parseEvent(line); ok && e.removal() && e.Node.Dir {
			heard[e.Node.Key]++
		}
	}
	for line := range bytes.Lines(b) {
		if e, ok := parseEvent(line); ok && e.removal() && e.Node.Dir {
			if heard[e.Node.Key]--; heard[e.Node.Key] < 0 {
				return true
			}
		}
	}
	return false
}

// hiddenReplay tells whether the first server replayed the event of a key that
// is hidden from the watch; the second went on to a later one, or waits.
func hiddenReplay(st *Step, a []byte) bool {
	e, ok := parseEvent(a)
	watched, err := url.PathUnescape(st.Key)
	if !ok || err != nil {
		return false
	}
	// The first part of a key is the script's root.
	_, key, _ := strings.Cut(strings.TrimPrefix(e.Node.Key, "/"), "/")
	below, ok := strings.CutPrefix("/"+key, strings.TrimSuffix(path.Clean("/"+watched), "/"))
	return ok && strings.Contains(below, "/_")
}

type event struct {
	Action string
	Node   struct {
		Key string
		Dir bool
	}
}

func (e *event) removal() bool {
	return e.Action == "delete" || e.Action == "compareAndDelete" || e.Action == "expire"
}

func parseEvent(line []byte) (*event, bool) {
	var e event
	return &e, json.Unmarshal(line, &e) == nil
}
