package conform_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/conform"
)

// planted is a conversation with every kind of check in it.
const planted = `{"name":"x-planted","area":"x","doc":"","tags":[],"steps":[
 {"method":"GET","path":"/stream${root}","background":true,"id":"stream"},
 {"method":"GET","path":"/silent${root}","background":true,"id":"silent"},
 {"await":"silent","quiet_ms":50,"expect":{"pending":true,"status":200}},
 {"method":"PUT","path":"/set${root}","form":{"value":"1"},"capture":{"set":"node"},"expect":{
   "status":201,"transfer":"length","headers":{"X-Etcd-Index":"@+1","Content-Type":"application/json","X-Raft-Term":"@absent"},
   "json":{"action":"set","node":{"key":"${root}/a","value":"1","ttl":"@range(4,5)","expiration":"@time(+5)","modifiedIndex":"@+1"}}}},
 {"method":"GET","path":"/list${root}","expect":{
   "json":{"nodes":[{"key":"${root}/b","modifiedIndex":"@ref(set.modifiedIndex)+1"},{"key":"${root}/a"}]}}},
 {"method":"GET","path":"/sorted${root}","expect":{"ordered":true,"json":{"nodes":[{"key":"a"},{"key":"b"}]}}},
 {"method":"GET","path":"/raw${root}","expect":{"raw":"{\"index\":${@+1}}\n","headers":{"Allow":"@set(GET, PUT)"}}},
 {"await":"stream","stream":true,"quiet_ms":50,"timeout_ms":300,"expect":{"status":200,"transfer":"chunked","events":[{"n":1},{"n":2}]}}]}`

// canned is an answer known by heart. In its body ROOT stands for the
// scenario's root and SOON for the time in five seconds.
type canned struct {
	status  int
	header  map[string]string
	body    string
	flush   bool          // headers first, so that the body is chunked
	stay    bool          // do not end the answer
	tardily time.Duration // before the headers
}

// rightAnswers is what a server that keeps to the scenario says.
func rightAnswers() map[string]*canned {
	return map[string]*canned{
		"v2":     {status: 200, header: map[string]string{"X-Etcd-Index": "7"}},
		"stream": {status: 200, flush: true, stay: true, body: "{\"n\":1}\n{\"n\":2}\n"},
		"silent": {status: 200, flush: true, stay: true},
		"set": {status: 201, header: map[string]string{"X-Etcd-Index": "8", "Content-Type": "application/json"},
			body: `{"action":"set","node":{"key":"ROOT/a","value":"1","ttl":5,"expiration":"SOON","modifiedIndex":8}}`},
		"list":   {status: 200, body: `{"nodes":[{"key":"ROOT/a"},{"key":"ROOT/b","modifiedIndex":9}]}`},
		"sorted": {status: 200, body: `{"nodes":[{"key":"a"},{"key":"b"}]}`},
		"raw":    {status: 200, body: "{\"index\":8}\n", header: map[string]string{"Allow": "PUT,GET"}},
	}
}

func serve(t *testing.T, answers map[string]*canned) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what, root, _ := strings.Cut(r.URL.Path[1:], "/")
		c := answers[what]
		time.Sleep(c.tardily)
		for k, v := range c.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(c.status)
		if c.flush {
			w.(http.Flusher).Flush()
		}
		soon := time.Now().Add(5 * time.Second).UTC().Format(time.RFC3339Nano)
		_, _ = io.WriteString(w, strings.NewReplacer("ROOT", "/"+root, "SOON", soon).Replace(c.body))
		if c.stay {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func replayPlanted(t *testing.T, answers map[string]*canned) []string {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "x"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x", "x-planted.json"), []byte(planted), 0o644))
	all, err := conform.Load(dir)
	require.NoError(t, err)
	r, err := conform.NewRunner(serve(t, answers))
	require.NoError(t, err)
	defer r.Close()
	results := r.Run(t.Context(), all, nil)
	require.Len(t, results, 1)
	return results[0].Failures
}

// The runner passes a server that keeps to the scenario, and catches each
// single fault of one that does not, at the place of the fault.
func TestPlantedFaultsAreCaught(t *testing.T) {
	assert.Empty(t, replayPlanted(t, rightAnswers()))

	in := func(what, old, faulty string) func(map[string]*canned) {
		return func(a map[string]*canned) {
			before := a[what].body
			a[what].body = strings.Replace(before, old, faulty, 1)
			assert.NotEqual(t, before, a[what].body, "the fault must take effect")
		}
	}
	for _, c := range []struct {
		name  string
		fault func(map[string]*canned)
		want  string // in the only failure
	}{
		{"status", func(a map[string]*canned) { a["set"].status = 200 }, "status: want 201, got 200"},
		{"index header", func(a map[string]*canned) { a["set"].header["X-Etcd-Index"] = "9" }, "X-Etcd-Index: want @+1, got @+2"},
		{"no index header", func(a map[string]*canned) { delete(a["set"].header, "X-Etcd-Index") }, "X-Etcd-Index: want @+1, got nothing"},
		{"content type", func(a map[string]*canned) { a["set"].header["Content-Type"] = "text/plain" }, "Content-Type: want"},
		{"header too many", func(a map[string]*canned) { a["set"].header["X-Raft-Term"] = "2" }, "X-Raft-Term: want @absent"},
		{"set header", func(a map[string]*canned) { a["raw"].header["Allow"] = "GET" }, "Allow: want @set(GET, PUT)"},
		{"chunked", func(a map[string]*canned) { a["set"].flush = true }, "transfer: want length, got chunked"},
		{"value", in("set", `"value":"1"`, `"value":"2"`), "body.node.value"},
		{"type", in("set", `"value":"1"`, `"value":1`), "body.node.value"},
		{"index in body", in("set", `"modifiedIndex":8`, `"modifiedIndex":7`), "body.node.modifiedIndex"},
		{"ttl", in("set", `"ttl":5`, `"ttl":6`), "body.node.ttl"},
		{"no ttl", in("set", `"ttl":5,`, ``), "body.node.ttl"},
		{"time", in("set", `SOON`, `2014-01-01T00:00:00Z`), "body.node.expiration"},
		{"time zone", in("set", `SOON`, `2034-01-01T00:00:00+01:00`), "body.node.expiration"},
		{"member too many", in("set", `"ttl":5`, `"ttl":5,"dir":true`), "body.node.dir: want nothing"},
		{"foreign key", in("set", `ROOT/a`, `/a`), "body.node.key"},
		{"not JSON", in("set", `"1"`, `1"`), "want JSON"},
		{"node too many", in("list", `[`, `[{"key":"z"},`), "body.nodes: want 2 elements, got 3"},
		{"captured index", in("list", `9`, `8`), "modifiedIndex"},
		{"order", in("sorted", `[{"key":"a"},{"key":"b"}]`, `[{"key":"b"},{"key":"a"}]`), "body.nodes[0].key"},
		{"raw bytes", in("raw", "\n", ""), "raw body"},
		{"event too few", in("stream", "{\"n\":2}\n", ""), "events: want 2, got 1"},
		{"event too many", in("stream", "{\"n\":2}\n", "{\"n\":2}\n{\"n\":3}\n"), "events: want 2, got 3"},
		{"event", in("stream", "2", "3"), "event 1.n"},
		{"answer too early", func(a map[string]*canned) { a["silent"].body = "{}"; a["silent"].stay = false }, "answer: want none yet"},
		{"late headers", func(a map[string]*canned) { a["silent"].tardily = 2300 * time.Millisecond }, "headers: they did not come at once"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := rightAnswers()
			c.fault(a)
			failures := replayPlanted(t, a)
			require.NotEmpty(t, failures)
			assert.Contains(t, failures[0], c.want)
			if c.name == "type" || c.name == "value" {
				assert.Len(t, failures, 1)
			}
		})
	}
}

// The list of allowed differences covers what it names and nothing else, and
// a line of it that is no longer needed is an error.
func TestDifferencesAreTight(t *testing.T) {
	sc := &conform.Scenario{Area: "a", Name: "a-b"}
	failing := []conform.Result{{Scenario: sc, Failures: []string{"step 1 (GET /): body.state: want x"}}}
	list := func(id string, where ...string) []conform.Difference {
		return []conform.Difference{{Scenario: id, Where: where, Reason: "r"}}
	}
	assert.Empty(t, conform.Unexpected(failing, list("a/a-b", "body.state")))
	assert.Len(t, conform.Unexpected(failing, nil), 1)
	assert.Len(t, conform.Unexpected(failing, list("a/a-c", "body.state")), 2, "another scenario: a failure and a stale line")
	assert.Len(t, conform.Unexpected(failing, list("a/a-b", "body.other")), 2)
	assert.Len(t, conform.Unexpected(failing, list("a/a-b", "body.state", "body.other")), 1)
	maybe := list("a/a-b")
	maybe[0].Maybe = []string{"body.state", "body.other"}
	assert.Empty(t, conform.Unexpected(failing, maybe), "what may occur need not")
}

// A corpus with a mistake is refused rather than passed.
func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"misspelt", strings.Replace(planted, `"expect"`, `"expects"`, 1), "expects"},
		{"no steps", `{"name":"n","area":"x","doc":"","steps":[]}`, "missing"},
		{"endless", strings.Replace(planted, `"method":"PUT"`, `"method":"PUT","repeat":100001`, 1), "repeat"},
		{"not JSON", `{`, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "x"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "x", "f.json"), []byte(c.file), 0o644))
			_, err := conform.Load(dir)
			require.ErrorIs(t, err, conform.ErrScenario)
			assert.Contains(t, err.Error(), c.want)
		})
	}
	_, err := conform.Load(t.TempDir())
	assert.ErrorIs(t, err, conform.ErrScenario)
}
