package httpd

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// muxClean is what http.ServeMux compares a path with.
func muxClean(p string) string {
	np := path.Clean(p)
	if p[len(p)-1] == '/' && np != "/" {
		np += "/"
	}
	return np
}

func TestSplitURI(t *testing.T) {
	for _, uri := range []string{
		"/", "/v2/keys", "/v2/keys?", "/v2/keys?a=b?c", "/v2/keys/a%2Fb", "/%zz", "/a%", "/a%4", "/a\x01", "/a\x7f", "/\xff", "//v2/keys", "v2/keys",
		"*", "/a#b", "/a?b#c", "http://h/v2/keys?x", "http://h", "http://h?x=1", "/a b", "", "?a=b", "/a//b", "/./a", "/a/..", "/a/.", "/...", "/.a", "/a/", "/a//",
	} {
		checkURI(t, uri)
	}
}

// FuzzURI: a request's URI is taken apart as net/url does it, and a path is
// redirected if and only if http.ServeMux would.
func FuzzURI(f *testing.F) {
	f.Add("/v2/keys/a%2F..%2f/b?x=%zz")
	f.Add("/a/./b//c/..")
	f.Fuzz(func(t *testing.T, uri string) { checkURI(t, uri) })
}

func checkURI(t *testing.T, uri string) {
	if strings.Contains(uri, " ") {
		_, _, ok := splitURI([]byte(uri))
		require.False(t, ok, "a blank ends the URI in a request line")
		return
	}
	if uri == "*" || !strings.HasPrefix(uri, "/") && strings.Contains(uri, ":") {
		return // the forms for proxies, by example only: see TestAbsoluteURI
	}
	escaped, query, ok := splitURI([]byte(uri))
	want, err := url.ParseRequestURI(uri)
	require.Equal(t, err == nil, ok, "%q: %v", uri, err)
	if !ok {
		return
	}
	got := string(appendUnescaped(nil, escaped, false))
	require.Equal(t, want.Path, got, "%q", uri)
	require.Equal(t, want.RawQuery, string(query), "%q", uri)
	clean := muxClean(got)
	require.Equal(t, clean == got, isClean([]byte(got)), "%q", got)
	if clean != got {
		require.Equal(t, clean, cleanPath(got))
		again, err := url.ParseRequestURI(location(clean, query))
		require.NoError(t, err)
		require.Equal(t, clean, again.Path)
	}
}

func TestAbsoluteURI(t *testing.T) {
	for _, c := range []struct{ uri, path, query string }{
		{"http://h/v2/keys?x=1", "/v2/keys", "x=1"}, {"http://h:1/a", "/a", ""}, {"http://h", "/", ""}, {"http://h?x", "/", "x"},
	} {
		escaped, query, ok := splitURI([]byte(c.uri))
		require.True(t, ok, c.uri)
		require.Equal(t, c.path, string(escaped), c.uri)
		require.Equal(t, c.query, string(query), c.uri)
	}
	for _, uri := range []string{"*", "://h/a", "h:1", "1http://h/"} {
		_, _, ok := splitURI([]byte(uri))
		require.False(t, ok, uri)
	}
}
