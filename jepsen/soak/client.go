//go:build linux

package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"holdfast/jepsen"
)

// The sizes of the load: how many clients ask at once, how many keys each of them
// has, how long values are. What lives is bounded by them.
const (
	clients       = 64
	keysPerClient = 32
	ttlPerClient  = 8
	maxTTL        = 5 // seconds
	valueBytes    = 1 << 10
)

const (
	// askTime bounds one request; a member itself gives up sooner.
	askTime = 10 * time.Second
	// fleePause keeps a client from spinning while nobody answers.
	fleePause = 20 * time.Millisecond
)

const (
	keysRoot = "/soak/keys"
	ttlRoot  = "/soak/ttl"
	lastKey  = "/soak/last"
)

// client asks one thing after the other, and holds each answer against what it
// knows of its keys.
type client struct {
	r    *run
	id   int
	rng  *rand.Rand
	http *jepsen.Client
	home string
	dir  string
	keys []key
	// upheaval is the latest that it has heard of.
	upheaval int64
	values   int
}

func newClient(r *run, id int) *client {
	urls := r.cluster.URLs()
	c := &client{
		r: r, id: id, rng: rand.New(rand.NewPCG(r.Seed, uint64(id)+1)), home: urls[id%len(urls)],
		dir: fmt.Sprintf("%s/%d", keysRoot, id), keys: make([]key, keysPerClient),
		http: &jepsen.Client{Process: id, Timeout: askTime, Now: r.now},
	}
	c.http.Endpoint = c.home
	for i := range c.keys {
		c.keys[i].path = fmt.Sprintf("%s/%02d", c.dir, i)
	}
	return c
}

// work asks whenever next lets it.
func (c *client) work(next func() bool) {
	defer c.http.Close()
	for next() {
		c.heedUpheaval()
		k := &c.keys[c.rng.IntN(len(c.keys))]
		o := c.http.Do(context.Background(), c.draw(k))
		c.r.done.Add(1)
		c.learn(k, &o)
	}
}

// heedUpheaval hangs up and turns home when a member was ended or has come back:
// a connection to it may be dead.
func (c *client) heedUpheaval() {
	if now := c.r.upheavals.Load(); now != c.upheaval {
		c.upheaval = now
		c.http.Close()
		c.http.Endpoint = c.home
	}
}

// draw chooses what to do: half of it are changes.
func (c *client) draw(k *key) jepsen.Operation {
	o := jepsen.Operation{Op: jepsen.Write, Key: k.path}
	switch n := c.rng.IntN(100); {
	case n < 30:
	case n < 40 && k.acked != "":
		o.Op, o.Prev = jepsen.CAS, k.acked
	case n < 43 && k.acked != "":
		return jepsen.Operation{Op: jepsen.Delete, Key: k.path}
	case n < 53:
		o.Key = fmt.Sprintf("%s/%d/%d", ttlRoot, c.id, c.rng.IntN(ttlPerClient))
		o.TTL = 1 + c.rng.Int64N(maxTTL)
	case n < 85:
		other := fmt.Sprintf("%s/%d/%02d", keysRoot, c.rng.IntN(clients), c.rng.IntN(keysPerClient))
		return jepsen.Operation{Op: jepsen.LocalRead, Key: other}
	case n < 98:
		return jepsen.Operation{Op: jepsen.Read, Key: k.path}
	default:
		return jepsen.Operation{Op: jepsen.List, Key: c.dir}
	}
	c.values++
	o.Arg = fmt.Sprintf("%d.%d.", c.id, c.values)
	o.Arg += strings.Repeat("x", valueBytes-len(o.Arg))
	return o
}

// learn takes note of an answer, and leaves a member that gave none.
func (c *client) learn(k *key, o *jepsen.Operation) {
	answered := o.Outcome == jepsen.OK || o.Outcome == jepsen.Fail && o.ErrorCode != 0 && o.ErrorCode < codeInternal
	if !answered {
		c.r.unanswered(o)
		c.flee()
	}
	if answered && !o.Op.Reads() && o.Outcome == jepsen.OK {
		c.r.acknowledged.Add(1)
	}
	switch {
	case o.Key == k.path && (answered || o.Outcome == jepsen.Unknown):
		c.r.accuse(k.learn(o))
	case o.Op == jepsen.List && answered:
		c.learnList(o)
	}
}

// learnList holds a listing of the client's directory against its keys.
func (c *client) learnList(o *jepsen.Operation) {
	there := map[string]string{}
	for i := range o.Nodes {
		there[o.Nodes[i].Key] = o.Nodes[i].Value
	}
	for i := range c.keys {
		c.r.accuse(c.keys[i].see(o, there[c.keys[i].path]))
	}
}

// flee turns to the next member.
func (c *client) flee() {
	urls := c.r.cluster.URLs()
	for i, u := range urls {
		if u == c.http.Endpoint {
			c.http.Close()
			c.http.Endpoint = urls[(i+1)%len(urls)]
			break
		}
	}
	time.Sleep(fleePause)
}
