package load

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// Answer is an answer to a GET of one key, to be given again and again.
type Answer struct {
	contentType string
	header      []headerLine // the others, apart from what fasthttp writes itself
	body        []byte
}

type headerLine struct{ name, value []byte }

// CaptureAnswer puts a value of so many bytes under a key of the shape that
// Measure uses, reads it as Measure does, and removes it.
func CaptureAnswer(address string, valueBytes int, timeout time.Duration) (Answer, error) {
	o := Options{ValueBytes: valueBytes, Keys: 1, HotKeys: 1, Timeout: timeout}
	c := newClient(address, newKeyspace(), &o, 0)
	defer c.close()
	if err := c.fill(0); err != nil {
		return Answer{}, fmt.Errorf("put a key: %w", err)
	}
	answer, err := c.capture(0)
	if err != nil {
		return Answer{}, fmt.Errorf("get a key: %w", err)
	}
	if err := c.remove(); err != nil {
		return Answer{}, fmt.Errorf("remove a key: %w", err)
	}
	return answer, nil
}

// capture reads a key and keeps the whole answer.
func (c *client) capture(key int) (Answer, error) {
	c.begin("GET ")
	c.request = c.space.appendKey(c.request, key)
	c.endHead()
	if _, err := c.raw.Write(c.request); err != nil {
		return Answer{}, err
	}
	var response fasthttp.Response
	if err := response.Read(c.in); err != nil {
		return Answer{}, err
	}
	if response.StatusCode() != fasthttp.StatusOK {
		return Answer{}, refused(response.StatusCode(), response.Body())
	}
	answer := Answer{contentType: string(response.Header.ContentType()), body: response.Body()}
	for name, value := range response.Header.All() {
		switch string(name) {
		case fasthttp.HeaderDate, fasthttp.HeaderContentLength, fasthttp.HeaderContentType, fasthttp.HeaderConnection:
		default:
			answer.header = append(answer.header, headerLine{bytes.Clone(name), bytes.Clone(value)})
		}
	}
	return answer, nil
}

// ServeBare gives one answer to every request until ctx is done: what fasthttp
// costs when nothing stands behind it. It has none of a store's limits and
// timeouts, so it is the cheapest server of these bytes.
func ServeBare(ctx context.Context, listener net.Listener, answer Answer) error {
	server := &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.Response.Header.SetContentType(answer.contentType)
			for _, line := range answer.header {
				ctx.Response.Header.SetCanonical(line.name, line.value)
			}
			ctx.Response.SetBody(answer.body)
		},
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		LazyRequestTime:       true,
		CloseOnShutdown:       true,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// A client that stays is cut off when the process ends.
	_ = server.ShutdownWithContext(draining)
	return <-served
}
