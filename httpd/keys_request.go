package httpd

import (
	"mime"
	"unsafe"

	"github.com/valyala/fasthttp"

	"holdfast/kernel"
)

// keysRequest is a request of the keys API, taken apart. Its bytes are the
// connection's and those of params: it does not outlive the handler.
type keysRequest struct {
	command          kernel.Command
	wait, stream     bool
	quorum           bool
	recursive        bool
	sorted           bool // checked only: listings always are
	noValueOnSuccess bool
	waitIndex        uint64
	prevExist        bool
	hasPrevExist     bool
}

// watches tells whether a GET is a watch; quorum makes a read of it even with wait,
// as in etcd.
func (q *keysRequest) watches() bool { return q.wait && !q.quorum }

const keysPrefix = "/v2/keys"

// keyOf is the key that a clean path of the keys API names.
func keyOf(path []byte) []byte {
	key := path[len(keysPrefix):]
	if n := len(key); n > 1 && key[n-1] == '/' {
		key = key[:n-1]
	}
	if len(key) == 0 {
		return []byte("/")
	}
	return key
}

// readParams fills p from the body and the query by the rules of
// http.Request.ParseForm: only PUT and POST have a form in their body, only
// one content type is read, the body counts before the query.
func readParams(p *params, h *fasthttp.RequestHeader, body, query []byte) *kernel.Error {
	fault := ""
	p.reset(len(query) + len(body))
	if h.IsPut() || h.IsPost() {
		fault = readBody(p, h.ContentType(), body)
	}
	if len(query) > 0 {
		if bad := p.scan(query); fault == "" {
			fault = bad
		}
	}
	if fault != "" {
		return refuse(codeInvalidForm, fault)
	}
	return nil
}

func readBody(p *params, contentType, body []byte) (fault string) {
	if isForm(contentType) {
		return p.scan(body)
	}
	if len(contentType) == 0 {
		return ""
	}
	media, _, err := mime.ParseMediaType(string(contentType))
	if media == formType {
		fault = p.scan(body)
	}
	if err != nil {
		fault = err.Error()
	}
	return fault
}

// parse checks the parameters, in etcd's order, which decides the error that
// a request with several faults is given.
func (q *keysRequest) parse(p *params, key []byte, isGet bool) *kernel.Error {
	*q = keysRequest{}
	c := &q.command
	c.Path = view(key)
	prevIndex, ok := p.uint(paramPrevIndex)
	if !ok {
		return refuse(codeIndexNotNumber, `invalid value for "prevIndex"`)
	}
	if q.waitIndex, ok = p.uint(paramWaitIndex); !ok {
		return refuse(codeIndexNotNumber, `invalid value for "waitIndex"`)
	}
	c.PrevIndex = kernel.StoreIndex(prevIndex)
	if refused := q.parseSwitches(p); refused != nil {
		return refused
	}
	if q.wait && !isGet {
		return refuse(kernel.CodeInvalidField, `"wait" can only be used with GET requests`)
	}
	c.PrevValue = view(p.text(paramPrevValue))
	if p.given[paramPrevValue] && c.PrevValue == "" {
		return refuse(codePrevValueRequired, `"prevValue" cannot be empty`)
	}
	if q.noValueOnSuccess, ok = p.bool(paramNoValueOnSuccess); !ok {
		return refuse(kernel.CodeInvalidField, `invalid value for "noValueOnSuccess"`)
	}
	if len(p.text(paramTTL)) > 0 {
		if c.TTLSeconds, c.HasTTL = p.uint(paramTTL); !c.HasTTL {
			return refuse(codeTTLNotNumber, `invalid value for "ttl"`)
		}
	}
	q.hasPrevExist = p.given[paramPrevExist]
	if q.prevExist, ok = p.bool(paramPrevExist); !ok {
		return refuse(kernel.CodeInvalidField, "invalid value for prevExist")
	}
	if refused := q.parseRefresh(p); refused != nil {
		return refused
	}
	c.Value = view(p.text(paramValue))
	return nil
}

func (q *keysRequest) parseSwitches(p *params) *kernel.Error {
	for _, s := range [...]struct {
		which param
		into  *bool
		cause string
	}{
		{paramRecursive, &q.recursive, `invalid value for "recursive"`},
		{paramSorted, &q.sorted, `invalid value for "sorted"`},
		{paramWait, &q.wait, `invalid value for "wait"`},
		{paramDir, &q.command.Dir, `invalid value for "dir"`},
		{paramQuorum, &q.quorum, `invalid value for "quorum"`},
		{paramStream, &q.stream, `invalid value for "stream"`},
	} {
		var ok bool
		if *s.into, ok = p.bool(s.which); !ok {
			return refuse(kernel.CodeInvalidField, s.cause)
		}
	}
	q.command.Recursive = q.recursive
	return nil
}

func (q *keysRequest) parseRefresh(p *params) (refused *kernel.Error) {
	var ok bool
	c := &q.command
	if c.Refresh, ok = p.bool(paramRefresh); !ok {
		return refuse(kernel.CodeInvalidField, "invalid value for refresh")
	}
	switch {
	case !c.Refresh:
	case len(p.text(paramValue)) > 0:
		return refuse(codeRefreshValue, "A value was provided on a refresh")
	case !c.HasTTL:
		return refuse(codeRefreshTTL, "No TTL value set")
	}
	return nil
}

// choosePut picks the operation of a PUT, as etcd does: prevExist first, a
// compare only with something to compare.
func (q *keysRequest) choosePut() {
	c := &q.command
	compares := c.PrevIndex > 0 || c.PrevValue != ""
	switch {
	case q.hasPrevExist && !q.prevExist:
		c.Op, c.PrevIndex, c.PrevValue, c.Refresh = kernel.OpCreate, 0, "", false
	case compares:
		c.Op = kernel.OpCompareAndSwap
	case q.hasPrevExist:
		c.Op = kernel.OpUpdate
	default:
		c.Op = kernel.OpSet
	}
}

func (q *keysRequest) choosePost() {
	c := &q.command
	c.Op, c.PrevIndex, c.PrevValue, c.Refresh = kernel.OpCreateInOrder, 0, "", false
}

func (q *keysRequest) chooseDelete() {
	c := &q.command
	c.Op = kernel.OpDelete
	if c.PrevIndex > 0 || c.PrevValue != "" {
		c.Op = kernel.OpCompareAndDelete
	}
	// A delete stores nothing, whatever else the request carried.
	c.Value, c.TTLSeconds, c.HasTTL, c.Refresh = "", 0, false, false
}

// encode is the command's wire form in memory of its own, since the replica
// keeps it.
func (q *keysRequest) encode() ([]byte, *kernel.Error) {
	c := &q.command
	wire, err := kernel.AppendCommand(make([]byte, 0, len(c.Path)+len(c.Value)+len(c.PrevValue)+48), c)
	if err != nil {
		return nil, tooLarge(c)
	}
	return wire, nil
}

// view is b as a string without a copy; it lives as long as b stays as it is.
func view(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}
