package differential

import (
	"fmt"
	"strings"
)

// Script is a sequence of steps, sent one after another.
type Script struct {
	Seed  uint64
	Steps []Step
}

// Step is one request. Its path and parameters are sent as they are.
type Step struct {
	// ID is what references name; it survives the removal of other steps.
	ID     int
	Method string
	Key    string // below the root, escaped
	Query  []string
	Form   []string // sent as a form if not nil
	// Body is sent without a content type if Form is nil.
	Body string

	// Ref, if not nil, adds a parameter made from an earlier answer.
	Ref *Ref
	// Watch tells that the answer may be long in coming.
	Watch WatchMode
}

// WatchMode tells watches from other requests.
type WatchMode int

// The modes.
const (
	NoWatch WatchMode = iota
	// Replay asks for an event that is in the ring and is waited for.
	Replay
	// Live stays open while the script goes on, and is looked at in the end.
	Live
)

// Ref is a parameter, in the query, whose value is the modifiedIndex of the
// answer to an earlier step, plus Delta. If that step gave none, the step that
// refers to it is left out, on that server.
type Ref struct {
	Step  int
	Param string
	Delta int
}

// String shows the script as curl commands, with $U for the URL of the root.
func (s Script) String() string {
	var b strings.Builder
	for i := range s.Steps {
		fmt.Fprintf(&b, "%3d  %s\n", s.Steps[i].ID, s.Steps[i])
	}
	return b.String()
}

// String shows one step as a curl command.
func (st Step) String() string {
	query := append([]string(nil), st.Query...)
	if st.Ref != nil {
		query = append(query, fmt.Sprintf("%s=<index of step %d>%+d", st.Ref.Param, st.Ref.Step, st.Ref.Delta))
	}
	target := "$U" + st.Key
	if len(query) > 0 {
		target += "?" + strings.Join(query, "&")
	}
	method := "-X " + st.Method
	if st.Method == "HEAD" {
		method = "-I"
	}
	line := fmt.Sprintf("curl -s %s %q", method, target)
	switch {
	case st.Form != nil:
		line += fmt.Sprintf(" -d %q", strings.Join(st.Form, "&"))
	case st.Body != "":
		line += fmt.Sprintf(" -H Content-Type: -d %q", st.Body)
	}
	if st.Watch == Live {
		line += " &"
	}
	return line
}

// target is the path and query to send below root.
func (st *Step) target(root string, index uint64) string {
	query := append([]string(nil), st.Query...)
	if st.Ref != nil {
		query = append(query, fmt.Sprintf("%s=%d", st.Ref.Param, int64(index)+int64(st.Ref.Delta)))
	}
	t := "/v2/keys" + root + st.Key
	if len(query) > 0 {
		t += "?" + strings.Join(query, "&")
	}
	return t
}
