package load

import (
	"bytes"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
	"unicode"
)

// dirKeys is how many keys lie in one directory of the keyspace.
const dirKeys = 100

// keyspace names the keys of one call, below a directory of its own.
type keyspace struct {
	dir string // a plain name
}

func newKeyspace() keyspace {
	return keyspace{dir: "holdfast-bench-" + crand.Text()[:8]}
}

// filledName is the key of a kept keyspace that says how many keys it has.
const filledName = "/filled"

func (k keyspace) appendDir(dst []byte, dir int) []byte {
	dst = append(dst, "/v2/keys/"...)
	dst = append(dst, k.dir...)
	dst = append(dst, "/d"...)
	return appendDigits(dst, dir, 6)
}

func (k keyspace) appendKey(dst []byte, key int) []byte {
	dst = append(k.appendDir(dst, key/dirKeys), "/k"...)
	return appendDigits(dst, key, 8)
}

func (k keyspace) appendExpiring(dst []byte, key int) []byte {
	dst = append(dst, "/v2/keys/"...)
	dst = append(dst, k.dir...)
	dst = append(dst, "/ttl/k"...)
	return appendDigits(dst, key, 8)
}

func (k keyspace) appendWatched(dst []byte) []byte {
	dst = append(dst, "/v2/keys/"...)
	dst = append(dst, k.dir...)
	return append(dst, "/watched"...)
}

// appendDigits appends n in decimal with leading zeros.
func appendDigits(dst []byte, n, width int) []byte {
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; n > 0 && i >= len(dst)-width; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

// refusal is an answer with a status that the workload does not expect.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.body) }

func refused(status int, body []byte) error {
	if len(body) > sampleBytes {
		body = body[:sampleBytes]
	}
	// What a server says goes to a terminal.
	plain := bytes.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, body)
	return &refusal{status, string(bytes.TrimSpace(plain))}
}

// client does one operation after the other on its own connection.
type client struct {
	*conn
	space   keyspace
	options *Options
	random  *rand.Rand
	value   []byte
	puts    uint64
	request []byte   // reused
	form    []byte   // reused
	known   []uint64 // CAS: the index last seen of each hot key; 0: unknown
}

func newClient(address string, space keyspace, options *Options, number int) *client {
	c := &client{
		conn: newConn(address), space: space, options: options,
		random: rand.New(rand.NewPCG(uint64(number), 0)),
		value:  make([]byte, options.ValueBytes),
		known:  make([]uint64, options.HotKeys),
	}
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	for i := range c.value {
		c.value[i] = alphabet[c.random.IntN(len(alphabet))]
	}
	return c
}

// operation does one operation of a workload. won is false only for a CAS that
// came too late.
func (c *client) operation(w Workload) (won bool, err error) {
	if err := c.dial(c.options.Timeout); err != nil {
		return false, err
	}
	switch w {
	case Put:
		err = c.put(c.random.IntN(c.options.Keys))
	case Get:
		err = c.get(c.random.IntN(c.options.Keys), "")
	case QuorumGet:
		err = c.get(c.random.IntN(c.options.Keys), "?quorum=true")
	case Mixed:
		if c.random.IntN(100) < c.options.ReadPercent {
			err = c.get(c.random.IntN(c.options.Keys), "")
		} else {
			err = c.put(c.random.IntN(c.options.Keys))
		}
	case CAS:
		return c.swap(c.random.IntN(c.options.HotKeys))
	case TTL:
		err = c.putExpiring(c.random.IntN(c.options.Keys))
	case List:
		err = c.list(c.random.IntN((c.options.Keys + dirKeys - 1) / dirKeys))
	}
	return err == nil, err
}

func (c *client) put(key int) error {
	c.begin("PUT ")
	c.request = c.space.appendKey(c.request, key)
	c.form = c.appendValue(c.form[:0])
	return c.change()
}

func (c *client) putExpiring(key int) error {
	c.begin("PUT ")
	c.request = c.space.appendExpiring(c.request, key)
	c.form = append(c.form[:0], "ttl="...)
	c.form = strconv.AppendInt(c.form, int64(c.options.TTLSeconds), 10)
	c.form = c.appendValue(append(c.form, '&'))
	return c.change()
}

// putWatched changes the watched key; the index is that of the change.
func (c *client) putWatched() (index uint64, err error) {
	c.begin("PUT ")
	c.request = c.space.appendWatched(c.request)
	c.form = c.appendValue(c.form[:0])
	c.endForm()
	status, body, err := c.do(c.request, c.answerBytes())
	if err != nil {
		return 0, err
	}
	if status != 200 && status != 201 {
		return 0, refused(status, body)
	}
	return numberAfter(body, modifiedIndex), nil
}

func (c *client) get(key int, query string) error {
	c.begin("GET ")
	c.request = append(c.space.appendKey(c.request, key), query...)
	return c.read()
}

func (c *client) list(dir int) error {
	c.begin("GET ")
	c.request = append(c.space.appendDir(c.request, dir), "?recursive=true"...)
	return c.read()
}

// swap tries to change a hot key from the version it was last seen in.
func (c *client) swap(key int) (won bool, err error) {
	if c.known[key] == 0 {
		if c.known[key], err = c.indexOf(key); err != nil {
			return false, err
		}
	}
	c.begin("PUT ")
	c.request = append(c.space.appendKey(c.request, key), "?prevIndex="...)
	c.request = strconv.AppendUint(c.request, c.known[key], 10)
	c.form = c.appendValue(c.form[:0])
	c.endForm()
	c.known[key] = 0 // of an answer that is lost we do not know
	status, body, err := c.do(c.request, c.answerBytes())
	if err != nil {
		return false, err
	}
	switch status {
	case 200:
		c.known[key] = numberAfter(body, modifiedIndex)
		return true, nil
	case 412: // Compare failed, cause "[ours != theirs]"
		c.known[key] = numberAfter(body, " != ")
		return false, nil
	}
	return false, refused(status, body)
}

// indexOf reads the version of a key.
func (c *client) indexOf(key int) (uint64, error) {
	c.begin("GET ")
	c.request = c.space.appendKey(c.request, key)
	c.endHead()
	status, body, err := c.do(c.request, c.answerBytes())
	if err != nil {
		return 0, err
	}
	if status != 200 {
		return 0, refused(status, body)
	}
	return numberAfter(body, modifiedIndex), c.dial(c.options.Timeout)
}

// filled reads how many keys a kept keyspace has, 0 if it is new.
func (c *client) filled() (int, error) {
	if err := c.beginFilled("GET "); err != nil {
		return 0, err
	}
	c.endHead()
	status, body, err := c.do(c.request, c.answerBytes())
	if err != nil {
		return 0, err
	}
	switch status {
	case 200:
		return int(numberAfter(body, `"value":"`)), nil
	case 404:
		return 0, nil
	}
	return 0, refused(status, body)
}

// noteFilled writes how many keys a kept keyspace has.
func (c *client) noteFilled(keys int) error {
	if err := c.beginFilled("PUT "); err != nil {
		return err
	}
	c.form = strconv.AppendInt(append(c.form[:0], "value="...), int64(keys), 10)
	return c.change()
}

func (c *client) beginFilled(method string) error {
	if err := c.dial(c.options.Timeout); err != nil {
		return err
	}
	c.expire(time.Now().Add(c.options.Timeout))
	c.begin(method)
	c.request = append(append(append(c.request, "/v2/keys/"...), c.space.dir...), filledName...)
	return nil
}

// answerBytes is enough of an answer to hold the index behind the value.
func (c *client) answerBytes() int { return len(c.value) + 1024 }

func (c *client) begin(method string) { c.request = append(c.request[:0], method...) }

func (c *client) endHead() {
	c.request = append(c.request, " HTTP/1.1\r\nHost: "...)
	c.request = append(c.request, c.address...)
	c.request = append(c.request, "\r\n\r\n"...)
}

func (c *client) endForm() {
	c.request = append(c.request, " HTTP/1.1\r\nHost: "...)
	c.request = append(c.request, c.address...)
	c.request = append(c.request, "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "...)
	c.request = strconv.AppendInt(c.request, int64(len(c.form)), 10)
	c.request = append(c.request, "\r\n\r\n"...)
	c.request = append(c.request, c.form...)
}

// appendValue appends the field of a value that no put before had.
func (c *client) appendValue(dst []byte) []byte {
	c.puts++
	n := c.puts
	for i := 0; i < 8 && i < len(c.value); i++ {
		c.value[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
	return append(append(dst, "value="...), c.value...)
}

func (c *client) change() error {
	c.endForm()
	status, body, err := c.do(c.request, 0)
	if err != nil {
		return err
	}
	if status != 200 && status != 201 {
		return refused(status, body)
	}
	return nil
}

func (c *client) read() error {
	c.endHead()
	status, body, err := c.do(c.request, 0)
	if err != nil {
		return err
	}
	if status != 200 {
		return refused(status, body)
	}
	return nil
}

// remove deletes all that this call has put.
func (c *client) remove() error {
	if err := c.dial(c.options.Timeout); err != nil {
		return err
	}
	c.expire(time.Now().Add(c.options.Timeout))
	c.begin("DELETE /v2/keys/")
	c.request = append(append(c.request, c.space.dir...), "?recursive=true"...)
	c.endHead()
	status, body, err := c.do(c.request, 0)
	if err != nil {
		return err
	}
	if status != 200 && status != 404 {
		return refused(status, body)
	}
	return nil
}

const modifiedIndex = `"modifiedIndex":`

// numberAfter reads the number that follows a mark; 0 if there is none.
func numberAfter(text []byte, mark string) uint64 {
	at := bytes.Index(text, []byte(mark))
	if at < 0 {
		return 0
	}
	var n uint64
	for _, b := range text[at+len(mark):] {
		if b < '0' || b > '9' {
			break
		}
		n = n*10 + uint64(b-'0')
	}
	return n
}
