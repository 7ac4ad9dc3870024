package httpd

import (
	"bytes"
	"net/url"
	"path"
)

// splitURI takes a request line's URI apart as net/url does for a server: the
// path still escaped, the query without its question mark. A "#" is a part of
// either. It says no to what net/http answers with 400.
func splitURI(uri []byte) (escaped, query []byte, ok bool) {
	for _, c := range uri {
		if c <= ' ' || c == 0x7f {
			return nil, nil, false
		}
	}
	escaped = uri
	if i := bytes.IndexByte(uri, '?'); i >= 0 {
		escaped, query = uri[:i], uri[i+1:]
	}
	if len(escaped) == 0 {
		return nil, nil, false
	}
	if escaped[0] != '/' {
		if escaped, ok = pathOfAbsolute(escaped); !ok {
			return nil, nil, false
		}
	}
	return escaped, query, badEscape(escaped) == ""
}

// pathOfAbsolute is the path of "http://host/path", the form meant for
// proxies, which every server must take.
func pathOfAbsolute(uri []byte) ([]byte, bool) {
	i := bytes.Index(uri, []byte("://"))
	if i <= 0 {
		return nil, false
	}
	for _, c := range uri[:i] {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return nil, false
		}
	}
	rest := uri[i+3:]
	if j := bytes.IndexByte(rest, '/'); j >= 0 {
		return rest[j:], true
	}
	return []byte("/"), true
}

// isClean tells whether a path is one that ServeMux would serve without a
// redirect: cleanPath(p) == p.
func isClean(p []byte) bool {
	for i := bytes.IndexByte(p, '/'); i >= 0; i = bytes.IndexByte(p, '/') {
		p = p[i+1:]
		switch {
		case len(p) == 0:
			return true
		case p[0] == '/':
			return false
		case p[0] != '.':
		case len(p) == 1 || p[1] == '/':
			return false
		case p[1] == '.' && (len(p) == 2 || p[2] == '/'):
			return false
		}
	}
	return true
}

// cleanPath is the path that ServeMux redirects to: without empty, "." and
// ".." elements, a trailing slash kept.
func cleanPath(p string) string {
	clean := path.Clean(p)
	if p[len(p)-1] == '/' && clean != "/" {
		clean += "/"
	}
	return clean
}

// location is the Location header of a redirect to a path.
func location(p string, query []byte) string {
	u := url.URL{Path: p, RawQuery: string(query)}
	return u.String()
}
