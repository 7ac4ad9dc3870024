package jepsen

import (
	"fmt"
	"sort"
	"strings"
)

// The error codes of the v2 API that the models know, with those in client.go.
const (
	codeNotFile      = 102
	codeNotDir       = 104
	codeNodeExist    = 105
	codeRootReadOnly = 107
	codeDirNotEmpty  = 108
	codeEventCleared = 401
)

// The actions of committed events.
const (
	actionInternal = "internal"
	actionSet      = "set"
	actionCreate   = "create"
	actionUpdate   = "update"
	actionDelete   = "delete"
	actionCAS      = "compareAndSwap"
	actionCAD      = "compareAndDelete"
	actionExpire   = "expire"
)

func removes(action string) bool {
	return action == actionDelete || action == actionCAD || action == actionExpire
}

// tree is a naive model of the store: real directories with children, walked
// name by name. It is written from the documents of etcd's v2 API and shares
// nothing with package kernel, which keeps one flat ordered map.
type tree struct{ root leaf }

// leaf is a key or a directory of the model.
type leaf struct {
	value             string
	dir               bool
	created, modified uint64
	deadline          int64
	children          map[string]*leaf
}

func newTree() *tree { return &tree{leaf{dir: true, children: map[string]*leaf{}}} }

// cut takes the first name off a path such as "/a/b".
func cut(path string) (name, rest string) {
	path = path[1:]
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// parent is the directory of a path.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

// below tells whether path lies below dir, at any depth.
func below(path, dir string) bool {
	return dir == "/" && path != "/" || strings.HasPrefix(path, dir+"/")
}

// walk goes down to path; the code says why it did not get there.
func (t *tree) walk(path string) (*leaf, int) {
	at := &t.root
	if path == "/" || path == "" {
		return at, 0
	}
	for rest := path; rest != ""; {
		var name string
		name, rest = cut(rest)
		if !at.dir {
			return nil, codeNotDir
		}
		next := at.children[name]
		if next == nil {
			return nil, codeKeyNotFound
		}
		at = next
	}
	return at, 0
}

func (t *tree) get(path string) *leaf {
	n, _ := t.walk(path)
	return n
}

// put places a node, making what directories are missing above it.
func (t *tree) put(path string, n *leaf, index uint64) {
	at := &t.root
	for rest := path; ; {
		var name string
		name, rest = cut(rest)
		if !at.dir { // only after an event that should not have been
			at.dir, at.children = true, map[string]*leaf{}
		}
		if rest == "" {
			at.children[name] = n
			return
		}
		next := at.children[name]
		if next == nil {
			next = &leaf{dir: true, created: index, modified: index, children: map[string]*leaf{}}
			at.children[name] = next
		}
		at = next
	}
}

func (t *tree) remove(path string) {
	if up := t.get(parent(path)); up != nil {
		delete(up.children, path[strings.LastIndexByte(path, '/')+1:])
	}
}

// visible counts the nodes that a recursive listing of n shows: names that
// begin with "_" are hidden, with all below them.
func (n *leaf) visible() int {
	count := 0
	for name, child := range n.children {
		if !strings.HasPrefix(name, "_") {
			count += 1 + child.visible()
		}
	}
	return count
}

// paths lists what a recursive listing of n shows, in lexical order.
func (n *leaf) paths(at string) []string {
	var list []string
	for name, child := range n.children {
		if !strings.HasPrefix(name, "_") {
			path := strings.TrimSuffix(at, "/") + "/" + name
			list = append(append(list, path), child.paths(path)...)
		}
	}
	sort.Strings(list)
	return list
}

// answer is the code with which the store refuses an operation in this state,
// 0 if it does not.
func (t *tree) answer(o *Operation) int {
	switch o.Op {
	case Read, LocalRead, List, LocalList:
		_, code := t.walk(o.Key)
		return code
	case InOrder:
		if n, code := t.walk(o.Key); code == codeNotDir || n != nil && !n.dir {
			return codeNotDir
		}
		return 0
	case CAD:
		if o.Key == "/" {
			return codeNotFile
		}
	}
	if o.Key == "/" {
		return codeRootReadOnly
	}
	n, code := t.walk(o.Key)
	switch o.Op {
	case Write:
		return answerWrite(n, code)
	case Create, MakeDir:
		switch {
		case n != nil:
			return codeNodeExist
		case code == codeNotDir:
			return code
		}
		return 0
	}
	if n == nil {
		return code
	}
	return answerChange(n, o)
}

func answerWrite(n *leaf, code int) int {
	switch {
	case n != nil && n.dir:
		return codeNotFile
	case n == nil && code == codeNotDir:
		return code
	}
	return 0
}

// otherValue and otherIndex tell whether a compare expects another value, or index.
func (o *Operation) otherValue(value string) bool {
	return (o.Prev != "" || o.PrevIndex == 0) && o.Prev != value
}

func (o *Operation) otherIndex(modified uint64) bool {
	return o.PrevIndex != 0 && o.PrevIndex != modified
}

// answerChange is the answer to a change of a node that is there.
func answerChange(n *leaf, o *Operation) int {
	switch o.Op {
	case Update:
		if n.dir && o.Arg != "" {
			return codeNotFile
		}
	case CAS, CAD:
		switch {
		case n.dir:
			return codeNotFile
		case o.otherIndex(n.modified), o.otherValue(n.value):
			return codeTestFailed
		}
	case Delete:
		if n.dir {
			return codeNotFile
		}
	case RemoveDir:
		if n.dir && len(n.children) > 0 {
			return codeDirNotEmpty
		}
	}
	return 0
}

// fault says why an event cannot follow this state; "" if it can. Now is
// cluster time when it was applied.
func (t *tree) fault(e *Event, now int64) string {
	if e.Action == actionInternal {
		return ""
	}
	if e.Key == "" || e.Key == "/" {
		return "it has no key that can change"
	}
	old, code := t.walk(e.Key)
	if code == codeNotDir {
		return "a file lies above its key"
	}
	if old == nil && e.PrevIndex != 0 {
		return fmt.Sprintf("it replaces index %d, but the key was absent", e.PrevIndex)
	}
	if old != nil && (e.PrevIndex != old.modified || e.PrevValue != old.value) {
		return fmt.Sprintf("it replaces %q of index %d, but the key held %q of index %d", e.PrevValue, e.PrevIndex, old.value, old.modified)
	}
	switch e.Action {
	case actionSet:
		return faultSet(old, e)
	case actionCreate:
		if old != nil {
			return fmt.Sprintf("it creates what existed since index %d", old.created)
		}
		if e.CreatedIndex != e.Index {
			return fmt.Sprintf("it says that the key was created at index %d", e.CreatedIndex)
		}
		return ""
	case actionUpdate, actionCAS, actionDelete, actionCAD, actionExpire:
		if old == nil {
			return "the key was absent"
		}
		return faultChange(old, e, now)
	}
	return "no such action"
}

func faultSet(old *leaf, e *Event) string {
	switch {
	case old != nil && old.dir:
		return "a directory cannot be set"
	case e.CreatedIndex != e.Index:
		return fmt.Sprintf("it says that the key was created at index %d", e.CreatedIndex)
	case e.Refresh && old == nil:
		return "it refreshes what was absent"
	case e.Refresh && !e.Dir && e.Value != old.value:
		return fmt.Sprintf("a refresh turned %q into %q", old.value, e.Value)
	}
	return ""
}

func faultChange(old *leaf, e *Event, now int64) string {
	switch {
	case e.Dir != old.dir:
		return fmt.Sprintf("it calls the node a directory: %v; it was one: %v", e.Dir, old.dir)
	case e.CreatedIndex != old.created:
		return fmt.Sprintf("it says that the key was created at index %d; it was at index %d", e.CreatedIndex, old.created)
	case old.dir && (e.Action == actionCAS || e.Action == actionCAD):
		return "a directory cannot be compared with"
	case e.Action == actionExpire && old.deadline == 0:
		return "the key had no time to live"
	case e.Action == actionExpire && old.deadline > now:
		return fmt.Sprintf("the key's deadline was cluster time %s, it was taken away at %s", sec(old.deadline), sec(now))
	case e.Refresh && e.Value != old.value:
		return fmt.Sprintf("a refresh turned %q into %q", old.value, e.Value)
	}
	return ""
}

// apply makes the change that an event tells of, whether it could follow or
// not, so that one fault is not told of as many.
func (t *tree) apply(e *Event) {
	if e.Action == actionInternal || e.Key == "" || e.Key == "/" {
		return
	}
	if removes(e.Action) {
		t.remove(e.Key)
		return
	}
	n := &leaf{value: e.Value, dir: e.Dir, created: e.CreatedIndex, modified: e.Index, deadline: e.Deadline}
	if e.Dir {
		n.children = map[string]*leaf{}
	}
	if old := t.get(e.Key); old != nil && e.Action == actionUpdate && old.dir {
		// A directory's own modifiedIndex stays, though the answer shows another.
		n.modified, n.children = old.modified, old.children
	}
	t.put(e.Key, n, e.Index)
}

// clone copies the tree.
func (t *tree) clone() *tree { return &tree{*t.root.clone()} }

func (n *leaf) clone() *leaf {
	c := *n
	if n.children != nil {
		c.children = make(map[string]*leaf, len(n.children))
		for name, child := range n.children {
			c.children[name] = child.clone()
		}
	}
	return &c
}
