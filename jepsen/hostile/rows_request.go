//go:build unix

package hostile

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"time"
)

const (
	headTooLong = "431 431 request line and headers are longer than 16384 bytes; shorten them"
	uriTooLong  = "414 414 URI too long; shorten the key or the query"
	noKey       = "404 100 Key not found"
	badEscape   = `400 210 Invalid POST form: invalid URL escape "%zz"`
	keyTooDeep  = `413 209 Invalid field: the key is longer than 16384 bytes or deeper than 512 names`
)

func requestRows() []Row {
	deep := func(n int) string { return "/v2/keys" + strings.Repeat("/d", n) }
	return []Row{
		requests("keys of a mebibyte", 20, "each of %d times: a key of 1 MiB, of 16 KiB, of 13 KiB", []request{
			{get("/v2/keys/" + strings.Repeat("k", 1<<20)), headTooLong},
			{get("/v2/keys/" + strings.Repeat("k", 16<<10)), headTooLong},
			{get("/v2/keys/" + strings.Repeat("k", 13<<10)), uriTooLong},
		}),
		requests("100,000 headers", 20, "each of %d times: 100,000 headers, one header of 1 MiB, 1,000 short headers", []request{
			{"GET /v2/keys/ HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-Header: value\r\n", 100_000) + "\r\n", headTooLong},
			{"GET /v2/keys/ HTTP/1.1\r\nHost: h\r\nX-Header: " + strings.Repeat("v", 1<<20) + "\r\n\r\n", headTooLong},
			{"GET /v2/keys/ HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: v\r\n", 1_000) + "\r\n", "200"},
		}),
		requests("deep paths", 20, "each of %d times: a key 512 names deep, 513, 4,000, and 3,000 steps up", []request{
			{put(deep(512), "value=v"), written},
			{put(deep(513), "value=v"), keyTooDeep},
			{get("/v2/keys" + strings.Repeat("/e", 4_000)), noKey},
			{get("/v2/keys" + strings.Repeat("/..", 3_000)), "301"},
		}),
		requests("form bombs", 10, "each of %d times: 4 MiB of parameters nobody knows, of one that counts, of faulty ones, 768 KiB of escapes, and 12 KiB in the query", []request{
			{put("/v2/keys/form/0", strings.Repeat("a=b&", 1<<20-2)), written},
			{put("/v2/keys/form/1", strings.Repeat("dir=0&", 690_000)), written},
			{put("/v2/keys/form/2", "value="+strings.Repeat("%61", 1<<18)), written},
			{put("/v2/keys/form/3", strings.Repeat("a=%zz&", 690_000)), badEscape},
			{put("/v2/keys/form/4?"+strings.Repeat("dir=0&", 2_000), "value=v"), written},
		}),
		requests("broken escapes", 20, "each of %d times: faulty percent signs in key, query and form", []request{
			{get("/v2/keys/%zz"), bad},
			{get("/v2/keys/%"), bad},
			{get("/v2/keys/%0"), bad},
			{get("/v2/keys/k?recursive=%zz"), badEscape},
			{put("/v2/keys/k", "value=%zz"), badEscape},
			{put("/v2/keys/k", "value=%"), `400 210 Invalid POST form: invalid URL escape "%"`},
			{get("/v2/keys/%00%ff%fe"), noKey},
		}),
		requests("bad chunks", 20, "each of %d times: chunks with faulty, negative, huge and missing lengths, missing ends, endless extensions and trailers", []request{
			{chunked("zz\r\nvalue\r\n0\r\n\r\n"), bad},
			{chunked("-5\r\nvalue\r\n0\r\n\r\n"), bad},
			{chunked("ffffffffffffffff\r\nvalue\r\n0\r\n\r\n"), bad},
			{chunked("fffffff\r\nvalue\r\n0\r\n\r\n"), tooLong},
			{chunked("5\r\nvaluevalue\r\n0\r\n\r\n"), bad},
			{chunked("\r\nvalue\r\n0\r\n\r\n"), bad},
			{chunked("5;" + strings.Repeat("x", 1<<20) + "\r\nvalue\r\n0\r\n\r\n"), written},
			{chunked("0\r\n" + strings.Repeat("X-Trailer: v\r\n", 100_000) + "\r\n"), headTooLong},
		}),
		requests("header splitting", 20, "each of %d times: line ends, escaped and bare, in paths that are redirected, in keys, values and headers; no answer has a header or body of the client's making", []request{
			{get("/v2/keys/../%0d%0aInjected:%20yes%0d%0a%0d%0abody"), "301"},
			{get("//v2/keys/%0aInjected:yes"), "301"},
			{get("/v2/keys/%0d%0aInjected:yes"), noKey},
			{put("/v2/keys/split", "value=%0d%0aInjected:yes"), written},
			{"GET /v2/keys/\rInjected:yes HTTP/1.1\r\nHost: h\r\n\r\n", bad},
			{"GET /v2/keys/ HTTP/1.1\r\nHost: h\r\nX: a\rInjected: yes\r\n\r\n", bad},
			{"GET /v2/keys/ HTTP/1.1\r\nHost: h\r\nX: a\r\n Injected: yes\r\n\r\n", "200"}, // goes on with the header above,
			{"GET /v2/keys/ HTTP/1.1\r\nHost: h\r\nX : a\r\n\r\n", bad},
		}),
		requests("other protocols", 20, "each of %d times: HTTP/0.9, HTTP/3.0, HTTP/2's preface, TLS, SSH, zeros", []request{
			{"GET /v2/keys\r\n\r\n", bad},
			{"GET /v2/keys HTTP/3.0\r\nHost: h\r\n\r\n", "200"}, // as HTTP/1.1,
			{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", bad},
			{clientHello(), bad},
			{"SSH-2.0-OpenSSH_9.6\r\n\r\n", bad},
			{strings.Repeat("\x00", 64<<10), headTooLong},
		}),
	}
}

func get(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n" }

func chunked(body string) string {
	return formHead + "Transfer-Encoding: chunked\r\n\r\n" + body
}

// clientHello is what a client of HTTPS begins with.
func clientHello() string {
	ours, theirs := net.Pipe()
	hello := make(chan string)
	go func() {
		var b [4096]byte
		n, _ := ours.Read(b[:]) // an error leaves nothing, which no answer fits
		_ = ours.Close()
		hello <- string(b[:n])
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = tls.Client(theirs, &tls.Config{ServerName: "h"}).HandshakeContext(ctx) // nobody answers
	return <-hello
}
