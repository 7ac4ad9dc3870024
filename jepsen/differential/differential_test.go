package differential_test

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/differential"
	"holdfast/jepsen/process"
)

var (
	scripts   = flag.Int("scripts", 200, "how many random scripts to run on etcd and on Holdfast")
	firstSeed = flag.Uint64("first-seed", 1, "seed of the first of them; the others follow")
)

// compare runs n scripts on both and returns what differed, at most shown.
func compare(t *testing.T, a, b string, seed uint64, n, shown int) []*differential.Mismatch {
	p, err := differential.NewPair(a, b)
	require.NoError(t, err)
	defer p.Close()
	var found []*differential.Mismatch
	scriptsWithFleeting := 0
	for i := range n {
		m, fleeting, err := p.Run(t.Context(), differential.Generate(seed+uint64(i)))
		require.NoError(t, err)
		if fleeting > 0 {
			scriptsWithFleeting++
			t.Logf("seed %d: a difference did not show again", seed+uint64(i))
		}
		if m != nil {
			if found = append(found, m); len(found) == shown {
				t.Logf("stopped after %d mismatches in %d scripts", shown, i+1)
				break
			}
		}
	}
	// A second of time to live passes now and then between two answers; an
	// intermittent fault would show more often.
	require.LessOrEqual(t, scriptsWithFleeting, 1+n/100, "differences that did not show again")
	return found
}

// Holdfast answers random scripts as etcd does.
func TestHoldfastAnswersAsEtcd(t *testing.T) {
	a := process.TestCluster(t, process.TestEtcd(t), 1)
	b := process.TestCluster(t, process.TestProgram(t), 1)
	for _, m := range compare(t, a.Members[0].ClientURL, b.Members[0].ClientURL, *firstSeed, *scripts, 10) {
		t.Errorf("etcd is a, Holdfast is b; %s", m)
	}
	t.Logf("%d scripts", *scripts)
}

// Two etcds whose indices differ are found equal, so what the comparison
// leaves out of account is enough; and with one of them behind something that
// spoils answers, the spoilt ones are found and the scripts made small, so it
// is not too much.
func TestComparisonItself(t *testing.T) {
	a := process.TestCluster(t, process.TestEtcd(t), 1).Members[0].ClientURL
	b := process.TestCluster(t, process.TestEtcd(t), 1).Members[0].ClientURL
	for i := range 17 {
		req, err := http.NewRequest(http.MethodPut, b+"/v2/keys/before?value="+strconv.Itoa(i), nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	for _, m := range compare(t, a, b, 1_000_000, 60, 3) {
		t.Errorf("both are etcd; %s", m)
	}

	for _, c := range []struct {
		name     string
		spoil    func(*http.Response, []byte) []byte
		maxSteps int
	}{
		{"status", func(r *http.Response, b []byte) []byte {
			if r.StatusCode == http.StatusCreated {
				r.StatusCode = http.StatusOK
			}
			return b
		}, 1},
		{"swap called set", replace(`"compareAndSwap"`, `"set"`), 2},
		{"no previous node", replace(`"prevNode"`, `"before"`), 2},
		{"escapes", replace(`\u003c`, `<`), 1},
		{"line feed", replace("}\n", "}"), 1},
		{"index", func(r *http.Response, b []byte) []byte {
			if n, err := strconv.Atoi(r.Header.Get("X-Etcd-Index")); err == nil && r.Request.Method == http.MethodPost {
				r.Header.Set("X-Etcd-Index", strconv.Itoa(n-1))
			}
			return b
		}, 1},
		{"raft term", func(r *http.Response, b []byte) []byte {
			if r.Request.Method == http.MethodDelete {
				r.Header.Del("X-Raft-Term")
			}
			return b
		}, 2},
		{"replayed event", func(r *http.Response, b []byte) []byte {
			if r.Request.URL.Query().Get("waitIndex") != "" {
				return bytes.Replace(b, []byte(`"action":"create"`), []byte(`"action":"set"`), 1)
			}
			return b
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := compare(t, a, spoiling(t, b, c.spoil), 1, 200, 1)
			require.NotEmpty(t, found, "200 scripts do not show the fault")
			assert.LessOrEqual(t, len(found[0].Script.Steps), c.maxSteps, found[0])
		})
	}
}

func replace(old, with string) func(*http.Response, []byte) []byte {
	return func(_ *http.Response, b []byte) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(with)) }
}

// spoiling is a server that passes everything on and spoils the answers.
// Watches that stay open go through as they are.
func spoiling(t *testing.T, to string, spoil func(*http.Response, []byte) []byte) string {
	target, err := url.Parse(to)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			// Byte for byte: the proxy's own cleaning would be a difference.
			r.Out.URL = &url.URL{Scheme: target.Scheme, Host: target.Host, Opaque: r.In.RequestURI}
			r.Out.Host = ""
		},
		ModifyResponse: func(r *http.Response) error {
			q := r.Request.URL.Opaque
			if u, err := url.ParseRequestURI(q); err == nil {
				r.Request.URL = u
			}
			if r.Request.URL.Query().Get("wait") != "" && r.Request.URL.Query().Get("waitIndex") == "" {
				return nil
			}
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return nil // a replay without an event
			}
			b = spoil(r, b)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			r.Header.Set("Content-Length", strconv.Itoa(len(b)))
			return nil
		},
	}
	srv := httptest.NewServer(proxy)
	t.Cleanup(srv.Close)
	return srv.URL
}

// A seed names one script for good, and different seeds different ones.
func TestGenerateIsAFunctionOfTheSeed(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(300) {
		s := differential.Generate(seed)
		require.Equal(t, s, differential.Generate(seed))
		require.GreaterOrEqual(t, len(s.Steps), 4)
		seen[s.String()] = true
	}
	assert.Len(t, seen, 300)
}
