package differential

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func answered(body string) *answer {
	return &answer{status: 200, header: http.Header{"X-Etcd-Index": {"12"}}, body: []byte(body)}
}

// What is left out of account is left out, and nothing more: a is from a
// server whose script began at index 10, b from one where it began at 10 too
// or, for the offset, at 510.
func TestDifference(t *testing.T) {
	const node = `{"action":"get","node":{"key":"/r/a","value":"1","expiration":"2030-01-01T00:00:05.5Z","ttl":5,"modifiedIndex":11,"createdIndex":11}}` + "\n"
	sorted := &Step{Method: "GET", Query: []string{"sorted=true"}}
	get := &Step{Method: "GET"}
	for _, c := range []struct {
		name  string
		step  *Step
		a, b  string
		equal bool
	}{
		{"same", get, node, node, true},
		{"time within tolerance", get, `{"expiration":"2030-01-01T00:00:05.5Z","ttl":5}`, `{"expiration":"2030-01-01T00:00:06Z","ttl":6}`, true},
		{"ttl beyond tolerance", get, `{"ttl":5}`, `{"ttl":8}`, false},
		{"expiration beyond tolerance", get, `{"expiration":"2030-01-01T00:00:05Z"}`, `{"expiration":"2030-01-01T00:00:08Z"}`, false},
		{"expiration not in UTC", get, `{"expiration":"2030-01-01T00:00:05Z"}`, `{"expiration":"2030-01-01T01:00:05+01:00"}`, false},
		{"no ttl", get, `{"ttl":5}`, `{}`, false},
		{"index", get, `{"modifiedIndex":11}`, `{"modifiedIndex":12}`, false},
		{"no index", get, `{"index":0}`, `{"index":11}`, false},
		{"order of nodes", get, `{"nodes":[{"key":"a"},{"key":"b"}]}`, `{"nodes":[{"key":"b"},{"key":"a"}]}`, true},
		{"order of nodes asked for", sorted, `{"nodes":[{"key":"a"},{"key":"b"}]}`, `{"nodes":[{"key":"b"},{"key":"a"}]}`, false},
		{"order of members", get, `{"a":1,"b":2}`, `{"b":2,"a":1}`, false},
		{"spelling of a string", get, `{"value":"\u003c"}`, `{"value":"<"}`, false},
		{"second value", get, "{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n{\"a\":3}\n", false},
		{"line feed", get, "{}\n", "{}", false},
		{"text", get, "404 page not found\n", "404 not found\n", false},
		{"broken JSON", get, `{"a":`, `{"a"`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := difference(c.step, answered(c.a), answered(c.b), 10, 10)
			assert.Equal(t, c.equal, d == "", d)
		})
	}
	t.Run("offset", func(t *testing.T) {
		b := answered(`{"errorCode":101,"cause":"[3 != 512]","node":{"key":"/r/00000000000000000512","modifiedIndex":512,"createdIndex":511}}`)
		b.header.Set("X-Etcd-Index", "512")
		a := answered(`{"errorCode":101,"cause":"[3 != 12]","node":{"key":"/r/00000000000000000012","modifiedIndex":12,"createdIndex":11}}`)
		assert.Empty(t, difference(get, a, b, 10, 510))
		b.header.Set("X-Etcd-Index", "513")
		assert.NotEmpty(t, difference(get, a, b, 10, 510))
	})
	t.Run("headers", func(t *testing.T) {
		for _, h := range append(append([]string{"Allow"}, equalHeaders...), presentHeaders...) {
			b := answered("{}")
			b.header.Set(h, "1")
			assert.NotEmpty(t, difference(get, answered("{}"), b, 10, 10), h)
		}
	})
	t.Run("ends", func(t *testing.T) {
		for _, b := range []*answer{{skipped: true}, {failure: "x"}, {status: 201}, {status: 200, pending: true}} {
			assert.NotEmpty(t, difference(get, &answer{status: 200}, b, 10, 10))
		}
	})
}

// Of replays just that of hidden keys is forgiven.
func TestDeclinedReplay(t *testing.T) {
	for _, c := range []struct {
		watched, key string
		forgiven     bool
	}{
		{"/a", "/r/a/_h", true},
		{"/a/", "/r/a/b/_h/c", true},
		{"", "/r/_h", true},
		{"/_h", "/r/_h", false},
		{"/_h", "/r/_h/a", false},
		{"/%5Fh", "/r/_h/_i", true},
		{"/a", "/r/a/b_h", false},
		{"/b", "/r/a/_h", false},
	} {
		st := &Step{Method: "GET", Key: c.watched, Watch: Replay}
		d := difference(st, answered(`{"action":"set","node":{"key":"`+c.key+`"}}`), &answer{status: 200, pending: true}, 10, 10)
		assert.Equal(t, c.forgiven, d == "", "%s %s: %s", c.watched, c.key, d)
	}
}

// Of live watches just the two habits are forgiven that declined.go names.
func TestDeclined(t *testing.T) {
	const (
		set     = `{"action":"set","node":{"key":"/r/d/a"}}` + "\n"
		deleted = `{"action":"delete","node":{"key":"/r/d/a"}}` + "\n"
		above   = `{"action":"delete","node":{"key":"/r/d","dir":true}}` + "\n"
	)
	live := &Step{Method: "GET", Watch: Live}
	for _, c := range []struct {
		name  string
		a, b  string
		equal bool
	}{
		{"delete twice", set + deleted + deleted, set + deleted, true},
		{"set twice", set + set, set, false},
		{"delete, set, delete", deleted + set + deleted, deleted + set, false},
		{"removal above not heard by the first", "", above, true},
		{"removal above not heard by the second", above, "", false},
		{"removal above heard by both", above, above + set, false},
		{"removal of the key not heard by the first", "", deleted, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := difference(live, answered(c.a), answered(c.b), 10, 10)
			assert.Equal(t, c.equal, d == "", d)
		})
	}
	assert.NotEmpty(t, difference(&Step{Method: "GET", Watch: Replay}, answered(""), answered(above), 10, 10))
}

// Whatever a server sends, normalizing ends without a panic.
func FuzzNormalize(f *testing.F) {
	f.Add([]byte(`{"nodes":[{"key":"00000000000000000012","ttl":-1}],"cause":"[1 != 2]"}` + "\n{}"))
	f.Add([]byte("not found\n"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		n := &normalizer{first: 10}
		n.body(b)
	})
}
