//go:build unix

package hostile

import (
	"context"
	"fmt"
	"io"
	"strings"
)

const (
	hugeBytes = 100 << 20
	tooLong   = "413 210 Invalid POST form: the body is longer than 4194304 bytes"
)

func bodyRows() []Row {
	return []Row{
		{
			Name: "bodies of 100 MiB", Count: 16, Want: map[string]int{tooLong: 16},
			Did: "%d clients send 100 MiB with their Content-Length",
			Attack: func(ctx context.Context, s *stage) error {
				return s.askAll(ctx, func(int) io.Reader {
					return io.MultiReader(strings.NewReader(formHead+fmt.Sprintf("Content-Length: %d\r\n\r\n", hugeBytes)), io.LimitReader(letters{}, hugeBytes))
				})
			},
		},
		{
			Name: "bodies of 100 MiB, asked for", Count: 16, Want: map[string]int{tooLong: 16},
			Did: "%d clients send 100 MiB with Expect: 100-continue",
			Attack: func(ctx context.Context, s *stage) error {
				return s.askAll(ctx, func(int) io.Reader {
					return io.MultiReader(strings.NewReader(formHead+fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", hugeBytes)), io.LimitReader(letters{}, hugeBytes))
				})
			},
		},
		{
			Name: "bodies of 100 MiB, chunked", Count: 16, Want: map[string]int{tooLong: 16},
			Did: "%d clients send 100 MiB in chunks of 32 KiB",
			Attack: func(ctx context.Context, s *stage) error {
				chunk := fmt.Sprintf("%x\r\n%s\r\n", 32<<10, strings.Repeat("v", 32<<10))
				return s.askAll(ctx, func(int) io.Reader {
					parts := []io.Reader{strings.NewReader(formHead + "Transfer-Encoding: chunked\r\n\r\n")}
					for range hugeBytes / (32 << 10) {
						parts = append(parts, strings.NewReader(chunk))
					}
					return io.MultiReader(parts...)
				})
			},
		},
		requests("lying lengths", 8, "each of %d times: a Content-Length that is not true, is none, or is there twice", []request{
			{formHead + "Content-Length: 104857600\r\n\r\nvalue", tooLong},
			{formHead + "Content-Length: 100\r\n\r\nvalue", tooSlow},
			{formHead + "Content-Length: 99999999999999999999\r\n\r\nvalue", bad},
			{formHead + "Content-Length: -5\r\n\r\nvalue", bad},
			{formHead + "Content-Length: five\r\n\r\nvalue", bad},
			{formHead + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nvalue=", bad},
			{formHead + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", written},
			{formHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", bad},
		}),
	}
}

const (
	formHead = "PUT /v2/keys/body HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	bad      = "400 400 Bad Request"
	// written stands for 201 the first time and 200 from then on.
	written = "written"
)

// askAll asks count times at once.
func (s *stage) askAll(ctx context.Context, request func(i int) io.Reader) error {
	return each(ctx, s.count, s.count, func(i int) error { return s.ask(request(i)) })
}

// letters is a text without end.
type letters struct{}

// Read implements io.Reader.
func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'v'
	}
	return len(p), nil
}

// request is one that is answered in one way.
type request struct{ text, answer string }

// beside is how many requests of a row are under way at the same time: the disk
// is not what is attacked.
const beside = 16

// requests is a row of requests, each sent count times on connections of their
// own. Each that is written has a key of its own.
func requests(name string, count int, did string, list []request) Row {
	r := Row{Name: name, Count: count, Did: did, Want: map[string]int{}}
	for _, one := range list {
		if one.answer == written {
			r.Want["201"]++
			r.Want["200"] += count - 1
			continue
		}
		r.Want[one.answer] += count
	}
	r.Attack = func(ctx context.Context, s *stage) error {
		return each(ctx, s.count*len(list), beside, func(i int) error {
			return s.ask(strings.NewReader(list[i%len(list)].text))
		})
	}
	return r
}
