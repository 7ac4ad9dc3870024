package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
	"holdfast/kernel/replica"
)

// oldJSON is encoding/json's text of s as Go 1.19, with which etcd 3.4.23 is
// built, gives it: later versions have short forms for two control characters.
func oldJSON(t *testing.T, s string) string {
	b, err := json.Marshal(s)
	require.NoError(t, err)
	var old strings.Builder
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\\' && b[i+1] == 'b':
			old.WriteString(`\u0008`)
			i++
		case b[i] == '\\' && b[i+1] == 'f':
			old.WriteString(`\u000c`)
			i++
		case b[i] == '\\':
			old.Write(b[i : i+2])
			i++
		default:
			old.WriteByte(b[i])
		}
	}
	return old.String()
}

func TestStringsAreEncodingJSONs(t *testing.T) {
	for c := range 256 {
		s := "a" + string([]byte{byte(c)}) + "b"
		require.Equal(t, oldJSON(t, s), string(appendString(nil, s)))
	}
	for _, s := range []string{"", "<>&", "\u2028\u2029\u202a", "žluťoučký 日本 🙂", "\xf0\x9f\x99", "\xed\xa0\x80", "\ufffd", "a\x00b\x1f\x7f", `"\` + "\n\r\t\b\f"} {
		require.Equal(t, oldJSON(t, s), string(appendString(nil, s)))
	}
}

func FuzzString(f *testing.F) {
	f.Add("<a href=\"x\">\u2028\xff\\\b")
	f.Fuzz(func(t *testing.T, s string) {
		require.Equal(t, oldJSON(t, s), string(appendString(nil, s)))
	})
}

func TestEvents(t *testing.T) {
	clock := kernel.Clock{Now: 10 * kernel.Second, WallOffset: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano()}
	key := &kernel.Node{Path: "/k", Value: "<v>", Created: 4, Modified: 5}
	timed := &kernel.Node{Path: "/k", Value: "", Created: 4, Modified: 6, Deadline: 11*kernel.Second + 500}
	late := &kernel.Node{Path: "/d", Dir: true, Created: 4, Modified: 4, Deadline: 9 * kernel.Second}
	gone := &kernel.Node{Path: "/k", Created: 4, Modified: 7}
	for _, c := range []struct {
		event kernel.Event
		bare  bool
		want  string
	}{
		{kernel.Event{Action: kernel.ActionSet, Node: key}, false,
			`{"action":"set","node":{"key":"/k","value":"\u003cv\u003e","modifiedIndex":5,"createdIndex":4}}`},
		{kernel.Event{Action: kernel.ActionSet, Node: key}, true, `{"action":"set"}`},
		{kernel.Event{Action: kernel.ActionUpdate, Node: timed, Prev: key, Clock: clock}, false,
			`{"action":"update","node":{"key":"/k","value":"","expiration":"2026-01-02T03:04:16.0000005Z","ttl":2,"modifiedIndex":6,"createdIndex":4},` +
				`"prevNode":{"key":"/k","value":"\u003cv\u003e","modifiedIndex":5,"createdIndex":4}}`},
		{kernel.Event{Action: kernel.ActionDelete, Node: gone, Prev: timed, Clock: clock}, false,
			`{"action":"delete","node":{"key":"/k","modifiedIndex":7,"createdIndex":4},` +
				`"prevNode":{"key":"/k","value":"","expiration":"2026-01-02T03:04:16.0000005Z","ttl":2,"modifiedIndex":6,"createdIndex":4}}`},
		{kernel.Event{Action: kernel.ActionExpire, Node: &kernel.Node{Path: "/d", Dir: true, Created: 4, Modified: 8}, Prev: late, Clock: clock}, false,
			`{"action":"expire","node":{"key":"/d","dir":true,"modifiedIndex":8,"createdIndex":4},` +
				`"prevNode":{"key":"/d","dir":true,"expiration":"2026-01-02T03:04:14Z","modifiedIndex":4,"createdIndex":4}}`},
	} {
		require.Equal(t, c.want+"\n", string(appendEvent(nil, &c.event, c.bare)))
		if !c.bare {
			f := framed(encodeFramed(&c.event))
			require.Equal(t, c.want+"\n", string(f.bare()))
			require.Equal(t, fmt.Sprintf("%x\r\n%s\n\r\n", len(c.want)+1, c.want), string(f.chunk()))
			require.Equal(t, string(f.chunk())+lastChunk, string(f.whole()))
		}
	}
}

// tree is a node as encoding/json would have it: etcd's fields in etcd's order.
type tree struct {
	Key           string  `json:"key,omitempty"`
	Value         *string `json:"value,omitempty"`
	Dir           bool    `json:"dir,omitempty"`
	Nodes         []*tree `json:"nodes,omitempty"`
	ModifiedIndex uint64  `json:"modifiedIndex,omitempty"`
	CreatedIndex  uint64  `json:"createdIndex,omitempty"`
}

func naive(v *kernel.View, n *kernel.Node, depth int) *tree {
	out := &tree{Dir: n.Dir, ModifiedIndex: uint64(n.Modified), CreatedIndex: uint64(n.Created)}
	if n.Path != "/" {
		out.Key = n.Path
	}
	if !n.Dir {
		out.Value = &n.Value
		return out
	}
	if depth > 0 {
		v.Children(n.Path, func(c *kernel.Node) bool {
			if !c.Hidden() {
				out.Nodes = append(out.Nodes, naive(v, c, depth-1))
			}
			return true
		})
	}
	return out
}

// A listing is what encoding/json would write of the same tree, whether it is
// gathered or handed on in pieces.
func TestListings(t *testing.T) {
	f := newFixture(t, Limits{})
	for _, k := range []string{"/a", "/b/c", "/b/d/e", "/b/_hidden", "/_all/x", "/b!", "/b-", "/empty/only/_h", "/z/\"q\""} {
		f.put(k, "v"+k)
	}
	view, err := f.replica.Local()
	require.NoError(t, err)
	for _, path := range []string{"/", "/b", "/b/d", "/a", "/empty", "/_all", "/z"} {
		for _, recursive := range []bool{false, true} {
			node, refused := view.Get(path)
			require.Nil(t, refused)
			depth := 1
			if recursive {
				depth = 1000
			}
			want, err := json.Marshal(map[string]any{"action": "get", "node": naive(view.View, node, depth)})
			require.NoError(t, err)
			w := lister{view: view.View, recursive: recursive}
			w.list(node, maxBuffered)
			require.False(t, w.over)
			require.Equal(t, string(want)+"\n", string(w.out), path)
			for _, limit := range []int{0, 40, 100} {
				var pieces bytes.Buffer
				w := lister{view: view.View, recursive: recursive, emit: func(p []byte) error { pieces.Write(p); return nil }}
				w.list(node, limit)
				require.Equal(t, string(want)+"\n", pieces.String()+string(w.out), path)
			}
		}
	}
}

// What a listing holds does not grow with the store, and it ends when it
// cannot be sent.
func TestLongListingsTakeLittleMemory(t *testing.T) {
	f := newFixture(t, Limits{})
	value := strings.Repeat("x", 1000)
	for i := range 300 {
		f.put(fmt.Sprintf("/d/%03d/k", i), value)
	}
	view, err := f.replica.Local()
	require.NoError(t, err)
	root, _ := view.Get("/")
	w := lister{view: view.View, recursive: true}
	w.list(root, 10_000)
	require.True(t, w.over)
	require.Less(t, len(w.out), 12_000)
	largest, total := 0, 0
	w = lister{view: view.View, recursive: true, emit: func(p []byte) error {
		largest, total = max(largest, len(p)), total+len(p)
		return nil
	}}
	w.list(root, 10_000)
	require.Less(t, largest, 12_000)
	require.Greater(t, total, 300_000)
	pieces := 0
	w = lister{view: view.View, recursive: true, emit: func([]byte) error { pieces++; return errors.New("gone") }}
	w.list(root, 10_000)
	require.EqualError(t, w.err, "gone")
	require.Equal(t, 1, pieces)
}

func TestRefusals(t *testing.T) {
	wrapped := fmt.Errorf("forward: %w (%w)", replica.ErrUnknown, errors.New("context deadline exceeded"))
	for _, c := range []struct {
		err    error
		status int
		want   string
	}{
		{&kernel.Error{Code: 100, Cause: "/<k>", Index: 7}, 404, `{"errorCode":100,"message":"Key not found","cause":"/\u003ck\u003e","index":7}`},
		{&kernel.Error{Code: 101, Cause: "[a != b]", Index: 7}, 412, `{"errorCode":101,"message":"Compare failed","cause":"[a != b]","index":7}`},
		{&kernel.Error{Code: 102}, 403, `{"errorCode":102,"message":"Not a file","index":0}`},
		{&kernel.Error{Code: 104}, 400, `{"errorCode":104,"message":"Not a directory","index":0}`},
		{&kernel.Error{Code: 105}, 412, `{"errorCode":105,"message":"Key already exists","index":0}`},
		{&kernel.Error{Code: 107}, 400, `{"errorCode":107,"message":"Root is read only","index":0}`},
		{&kernel.Error{Code: 108}, 403, `{"errorCode":108,"message":"Directory not empty","index":0}`},
		{&kernel.Error{Code: 401}, 400, `{"errorCode":401,"message":"The event in requested index is outdated and cleared","index":0}`},
		{wrapped, 500, `{"errorCode":300,"message":"Raft Internal Error","cause":"request timed out, outcome unknown","index":0}`},
		{fmt.Errorf("x: %w", replica.ErrNoLeader), 500, `{"errorCode":300,"message":"Raft Internal Error","cause":"no leader: nothing was done","index":0}`},
		// A write that a quorum holds, and whose member stopped before it had
		// applied it too: "nothing was done" would be a lie.
		{fmt.Errorf("%w (%w)", replica.ErrUnknown, replica.ErrStopped), 500, `{"errorCode":300,"message":"Raft Internal Error","cause":"request timed out, outcome unknown","index":0}`},
		{errors.New("odd"), 500, `{"errorCode":300,"message":"Raft Internal Error","cause":"odd","index":0}`},
	} {
		refused := refusalOf(c.err)
		require.Equal(t, c.status, statusOf(refused.Code))
		require.Equal(t, c.want+"\n", string(appendRefusal(nil, refused)))
	}
}
