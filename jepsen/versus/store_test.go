package versus

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

func serveV2(t *testing.T, h http.HandlerFunc) (*v2, string) {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	a := &v2{client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(a.hangUp)
	return a, s.URL
}

// A put is a form, and only 200 and 201 acknowledge it.
func TestPut(t *testing.T) {
	for status, acknowledged := range map[int]bool{200: true, 201: true, 202: false, 404: false, 500: false} {
		a, url := serveV2(t, func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "PUT /v2/keys/a", r.Method+" "+r.URL.Path)
			assert.Equal(t, "v w", r.PostFormValue("value"))
			w.WriteHeader(status)
		})
		assert.Equal(t, acknowledged, a.put(t.Context(), url, "/a", "v w") == nil, status)
	}
}

// A snapshot is the whole body of a 200; a store without one is told as such.
func TestSnapshot(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"whole", 200, "state", ""},
		{"empty", 200, "", "unexpected EOF"},
		{"none", 404, "404 page not found", "GET /v1/snapshot: status 404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, url := serveV2(t, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "GET /v1/snapshot", r.Method+" "+r.URL.Path)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			var out strings.Builder
			err := a.snapshot(t.Context(), url, &out)
			if c.want == "" {
				require.NoError(t, err)
				assert.Equal(t, c.body, out.String())
				return
			}
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

// What the kernel tells of a process's memory is read in kB of 1,024 bytes.
func TestParseStatus(t *testing.T) {
	const good = "Name:\tVmRSS: 1 kB\nVmRSS:\t   20000 kB\nRssAnon:\t   10000 kB\nRssFile:\t 1 kB\n"
	m, err := parseStatus([]byte(good))
	require.NoError(t, err)
	assert.InDelta(t, 20.48, m.resident, 1e-9)
	assert.InDelta(t, 10.24, m.anonymous, 1e-9)
	for name, bad := range map[string]string{
		"empty":      "",
		"a zombie":   "Name:\tx\nState:\tZ (zombie)\n",
		"unit":       strings.Replace(good, "20000 kB", "20000 MB", 1),
		"number":     strings.Replace(good, "20000", "-1", 1),
		"no RssAnon": strings.Replace(good, "RssAnon", "RssShmem", 1),
	} {
		_, err := parseStatus([]byte(bad))
		assert.Error(t, err, name)
	}
}

// The heap's goal is found under either name, and what has none is no store.
func TestHeapGoal(t *testing.T) {
	const metrics = "# HELP x\ngo_memstats_next_gc_bytes 4.194304e+06\ngo_gc_heap_goal_bytes 2e+06\n"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			_, _ = io.WriteString(w, metrics)
		}
	}))
	t.Cleanup(s.Close)
	for _, c := range []struct {
		member *process.Member
		want   float64
		fails  bool
	}{
		{&process.Member{ClientURL: s.URL}, 4.194304, false},
		{&process.Member{ClientURL: s.URL, OpsURL: s.URL}, 2, false},
		{&process.Member{ClientURL: s.URL + "/elsewhere"}, 0, true},
	} {
		goal, err := heapGoal(t.Context(), c.member)
		assert.Equal(t, c.fails, err != nil, "%v", err)
		assert.InDelta(t, c.want, goal, 1e-9)
	}
}
