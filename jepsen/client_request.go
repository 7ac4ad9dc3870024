package jepsen

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// errNothingToCompare refuses a request that etcd would carry out without a
// condition.
var errNothingToCompare = errors.New("neither a value nor an index to compare with; set Prev or PrevIndex")

// build makes the request for o in c.out.
func (c *Client) build(o *Operation) error {
	c.form = c.form[:0]
	method, err := c.parameters(o)
	if err != nil {
		return fmt.Errorf("build request: %s: %w", o.Op, err)
	}
	if !strings.HasPrefix(o.Key, "/") {
		return fmt.Errorf("build request: key %q: does not begin with a slash", o.Key)
	}
	c.out = append(append(append(c.out[:0], method...), " /v2/keys"...), (&url.URL{Path: o.Key}).EscapedPath()...)
	// The server reads parameters from the bodies of PUT and POST only.
	inBody := method == "PUT" || method == "POST"
	if !inBody && len(c.form) > 0 {
		c.out = append(append(c.out, '?'), c.form...)
	}
	c.out = append(append(c.out, " HTTP/1.1\r\nHost: "...), strings.TrimPrefix(strings.TrimRight(c.Endpoint, "/"), "http://")...)
	if inBody {
		c.out = append(c.out, "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "...)
		c.out = strconv.AppendInt(c.out, int64(len(c.form)), 10)
	}
	c.out = append(c.out, "\r\n\r\n"...)
	if inBody {
		c.out = append(c.out, c.form...)
	}
	return nil
}

// parameters fills c.form and names the method.
func (c *Client) parameters(o *Operation) (method string, err error) {
	if o.Op.Reads() {
		c.readParameters(o)
		return "GET", nil
	}
	method = "PUT"
	switch o.Op {
	case Write, Create, Update, CAS:
		c.set("value", o.Arg)
	case InOrder:
		method = "POST"
		c.set("value", o.Arg)
	case Refresh:
		c.set("refresh", "true")
	case MakeDir:
		c.set("dir", "true")
	case Delete, CAD, RemoveDir, RemoveAll:
		method = "DELETE"
	default:
		return "", errors.New("no such operation")
	}
	switch o.Op {
	case Create, MakeDir:
		c.set("prevExist", "false")
	case Update, Refresh:
		c.set("prevExist", "true")
	case CAS, CAD:
		err = c.compare(o)
	case RemoveDir:
		c.set("dir", "true")
	case RemoveAll:
		c.set("recursive", "true")
	}
	if o.TTL != 0 && method != "DELETE" {
		c.set("ttl", strconv.FormatInt(o.TTL, 10))
	}
	return method, err
}

func (c *Client) readParameters(o *Operation) {
	switch o.Op {
	case Read:
		c.set("quorum", "true")
	case List:
		c.set("quorum", "true")
		c.set("recursive", "true")
		c.set("sorted", "true")
	case LocalList:
		c.set("recursive", "true")
		c.set("sorted", "true")
	case Watch, Stream:
		c.set("wait", "true")
		if o.Op == Stream {
			c.set("stream", "true")
		}
		if o.Recursive {
			c.set("recursive", "true")
		}
		if o.WaitIndex != 0 {
			c.set("waitIndex", strconv.FormatUint(o.WaitIndex, 10))
		}
	}
}

func (c *Client) compare(o *Operation) error {
	if o.Prev == "" && o.PrevIndex == 0 {
		return errNothingToCompare
	}
	if o.Prev != "" {
		c.set("prevValue", o.Prev)
	}
	if o.PrevIndex != 0 {
		c.set("prevIndex", strconv.FormatUint(o.PrevIndex, 10))
	}
	return nil
}

func (c *Client) set(name, value string) {
	if len(c.form) > 0 {
		c.form = append(c.form, '&')
	}
	c.form = append(append(append(c.form, name...), '='), url.QueryEscape(value)...)
}
