package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestMatches is the rule by which events reach watchers, case by case.
func TestMatches(t *testing.T) {
	const yes, no = true, false
	for _, test := range []struct {
		name      string
		action    Action
		at        string
		dir       bool
		watched   string
		recursive bool
		want      bool
	}{
		{"the key itself", ActionSet, "/a", no, "/a", no, yes},
		{"the key itself, recursively", ActionSet, "/a", no, "/a", yes, yes},
		{"another key", ActionSet, "/b", no, "/a", yes, no},
		{"a child", ActionSet, "/a/b", no, "/a", no, no},
		{"a child, recursively", ActionSet, "/a/b", no, "/a", yes, yes},
		{"far below, recursively", ActionCreate, "/a/b/c/d", no, "/a", yes, yes},
		{"a neighbour that begins alike", ActionSet, "/ab", no, "/a", yes, no},
		{"below such a neighbour", ActionSet, "/ab/c", no, "/a", yes, no},
		{"a neighbour that sorts between", ActionSet, "/a-/c", no, "/a", yes, no},
		{"the parent", ActionSet, "/a", yes, "/a/b", yes, no},
		{"anything below the root", ActionSet, "/a", no, "/", yes, yes},
		{"anything far below the root", ActionSet, "/a/b/c", no, "/", yes, yes},
		{"the root alone", ActionSet, "/a", no, "/", no, no},
		{"a hidden key from above", ActionSet, "/a/_h", no, "/a", yes, no},
		{"below a hidden directory from above", ActionSet, "/a/_h/b", no, "/a", yes, no},
		{"a hidden name further down", ActionSet, "/a/b/_h", no, "/a", yes, no},
		{"a hidden key from the root", ActionSet, "/_h", no, "/", yes, no},
		{"below a hidden directory from the root", ActionSet, "/_h/b", no, "/", yes, no},
		{"a hidden key itself", ActionSet, "/a/_h", no, "/a/_h", no, yes},
		{"from within a hidden directory", ActionSet, "/a/_h/b", no, "/a/_h", yes, yes},
		{"hidden within hidden", ActionSet, "/a/_h/_i", no, "/a/_h", yes, no},
		{"an underscore inside a name hides nothing", ActionSet, "/a/b_c", no, "/a", yes, yes},
		{"a removed key", ActionDelete, "/a", no, "/a", no, yes},
		{"a removed key from above", ActionDelete, "/a/b", no, "/a", yes, yes},
		{"a removed directory from below", ActionDelete, "/a", yes, "/a/b", no, yes},
		{"a removed directory from far below", ActionDelete, "/a", yes, "/a/b/c/d", yes, yes},
		{"a removed directory from a hidden place below", ActionDelete, "/a", yes, "/a/_h/b", no, yes},
		{"an expired directory from below", ActionExpire, "/a", yes, "/a/b", no, yes},
		{"a removed directory from a neighbour below", ActionDelete, "/a", yes, "/ab/c", yes, no},
		{"a removed key from below", ActionDelete, "/a", no, "/a/b", yes, no},
		{"a compared and deleted key", ActionCompareAndDelete, "/a", no, "/a", no, yes},
		{"a directory made above", ActionCreate, "/a", yes, "/a/b", yes, no},
		{"a removed directory from above", ActionDelete, "/a/b", yes, "/a", yes, yes},
		{"a removed directory from above alone", ActionDelete, "/a/b", yes, "/a", no, no},
		{"a removed hidden directory from above", ActionDelete, "/a/_h", yes, "/a", yes, no},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &Event{Action: test.action, Index: 1, Node: &Node{Path: test.at, Dir: test.dir}}
			assert.Equal(t, test.want, e.Matches(test.watched, test.recursive))
			e.Refresh = true
			assert.False(t, e.Matches(test.watched, test.recursive), "a refresh wakes nobody")
			e.Node, e.Refresh = nil, false
			assert.False(t, e.Matches(test.watched, test.recursive), "an internal event wakes nobody")
		})
	}
}

func TestActionNames(t *testing.T) {
	names := []string{}
	for a := ActionInternal; a <= actionEnd; a++ {
		names = append(names, a.String())
	}
	assert.Equal(t, []string{"internal", "set", "create", "update", "delete", "compareAndSwap", "compareAndDelete", "expire", "unknown"}, names)
}

func TestBelow(t *testing.T) {
	for _, test := range []struct {
		path, dir string
		want      bool
	}{
		{"/a/b", "/a", true}, {"/a", "/a", false}, {"/ab", "/a", false}, {"/a", "/", true}, {"/", "/", false},
		{"/a", "/a/b", false}, {"/b/a", "/a", false}, {"/a/b/c", "/a/b", true},
	} {
		assert.Equal(t, test.want, Below(test.path, test.dir), "%s below %s", test.path, test.dir)
	}
}

func TestNodeNames(t *testing.T) {
	for _, test := range []struct {
		path, name, parent string
		hidden             bool
	}{
		{"/a", "a", "/", false}, {"/a/b", "b", "/a", false}, {"/_a", "_a", "/", true}, {"/_a/b", "b", "/_a", false}, {"/a/_", "_", "/a", true}, {"/", "", "/", false},
	} {
		n := &Node{Path: test.path}
		assert.Equal(t, test.name, n.Name())
		assert.Equal(t, test.hidden, n.Hidden())
		assert.Equal(t, test.parent, parentOf(test.path))
	}
}
