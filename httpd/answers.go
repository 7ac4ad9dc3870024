package httpd

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/valyala/fasthttp"

	"holdfast/kernel"
	"holdfast/kernel/replica"
)

// The codes of refusals that do not come from the state machine, with etcd's
// numbers and messages.
const (
	codePrevValueRequired kernel.Code = 201
	codeTTLNotNumber      kernel.Code = 202
	codeIndexNotNumber    kernel.Code = 203
	codeInvalidForm       kernel.Code = 210
	codeRefreshValue      kernel.Code = 211
	codeRefreshTTL        kernel.Code = 212
	codeRaftInternal      kernel.Code = 300
)

func message(c kernel.Code) string {
	switch c {
	case codePrevValueRequired:
		return "PrevValue is Required in POST form"
	case codeTTLNotNumber:
		return "The given TTL in POST form is not a number"
	case codeIndexNotNumber:
		return "The given index in POST form is not a number"
	case codeInvalidForm:
		return "Invalid POST form"
	case codeRefreshValue:
		return "Value provided on refresh"
	case codeRefreshTTL:
		return "A TTL must be provided on refresh"
	case codeRaftInternal:
		return "Raft Internal Error"
	}
	return c.Message()
}

// statusOf is the HTTP status of an error code.
func statusOf(c kernel.Code) int {
	switch c {
	case kernel.CodeKeyNotFound:
		return fasthttp.StatusNotFound
	case kernel.CodeNotFile, kernel.CodeDirNotEmpty:
		return fasthttp.StatusForbidden
	case kernel.CodeTestFailed, kernel.CodeNodeExist:
		return fasthttp.StatusPreconditionFailed
	case codeRaftInternal:
		return fasthttp.StatusInternalServerError
	}
	return fasthttp.StatusBadRequest
}

// refuse is a refusal of a request that was never tried: index 0.
func refuse(c kernel.Code, cause string) *kernel.Error {
	return &kernel.Error{Code: c, Cause: cause}
}

// refusalOf turns an error of the replica into a refusal in etcd's form. An
// unknown outcome may wrap what took the answer away, such as ErrStopped; it
// goes first, since that one alone would say that nothing was done. No read
// ends with ErrUnknown.
func refusalOf(err error) *kernel.Error {
	var refused *kernel.Error
	if errors.As(err, &refused) {
		return refused
	}
	for _, known := range []error{
		replica.ErrUnknown, replica.ErrNoLeader, replica.ErrBusy, replica.ErrStopped,
		replica.ErrNotReady, replica.ErrTooManyWatchers, replica.ErrTimeout,
	} {
		if errors.Is(err, known) {
			return refuse(codeRaftInternal, known.Error())
		}
	}
	return refuse(codeRaftInternal, err.Error())
}

// tooLarge says which of the kernel's limits a command breaks.
func tooLarge(c *kernel.Command) *kernel.Error {
	switch {
	case len(c.Value) > kernel.MaxValueBytes:
		return refuse(kernel.CodeInvalidField, fmt.Sprintf(`"value" is longer than %d bytes`, kernel.MaxValueBytes))
	case len(c.PrevValue) > kernel.MaxValueBytes:
		return refuse(kernel.CodeInvalidField, fmt.Sprintf(`"prevValue" is longer than %d bytes`, kernel.MaxValueBytes))
	case c.HasTTL && c.TTLSeconds > kernel.MaxTTLSeconds:
		return refuse(codeTTLNotNumber, fmt.Sprintf(`"ttl" is more than %d seconds`, kernel.MaxTTLSeconds))
	}
	return refuse(kernel.CodeInvalidField, fmt.Sprintf(
		"the key is longer than %d bytes or deeper than %d names", kernel.MaxPathBytes, kernel.MaxDepth))
}

func appendRefusal(dst []byte, e *kernel.Error) []byte {
	dst = append(dst, `{"errorCode":`...)
	dst = strconv.AppendInt(dst, int64(e.Code), 10)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, message(e.Code))
	if e.Cause != "" {
		dst = append(dst, `,"cause":`...)
		dst = appendString(dst, e.Cause)
	}
	dst = append(dst, `,"index":`...)
	dst = strconv.AppendUint(dst, uint64(e.Index), 10)
	return append(dst, '}', '\n')
}

var (
	headerAllowHeaders = []byte("Access-Control-Allow-Headers")
	headerAllowMethods = []byte("Access-Control-Allow-Methods")
	headerAllowOrigin  = []byte("Access-Control-Allow-Origin")
	headerClusterID    = []byte("X-Etcd-Cluster-Id")
	headerEtcdIndex    = []byte("X-Etcd-Index")
	headerRaftIndex    = []byte("X-Raft-Index")
	headerRaftTerm     = []byte("X-Raft-Term")
	headerNoSniff      = []byte("X-Content-Type-Options")
	headerAllow        = []byte("Allow")

	corsHeaders = []byte("accept, content-type, authorization")
	corsMethods = []byte("POST, GET, OPTIONS, PUT, DELETE")
	corsOrigin  = []byte("*")
)

const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"
	typeHTML = "text/html; charset=utf-8"
)

// setCORS sets the headers that etcd puts on every answer by default.
func setCORS(h *fasthttp.ResponseHeader) {
	h.SetCanonical(headerAllowHeaders, corsHeaders)
	h.SetCanonical(headerAllowMethods, corsMethods)
	h.SetCanonical(headerAllowOrigin, corsOrigin)
}

func setUint(h *fasthttp.ResponseHeader, name []byte, v uint64) {
	var digits [20]byte
	h.SetCanonical(name, strconv.AppendUint(digits[:0], v, 10))
}

// plainError answers as net/http's Error does.
func plainError(ctx *fasthttp.RequestCtx, status int, text string) {
	ctx.Response.Header.SetContentType(typeText)
	ctx.Response.Header.SetCanonical(headerNoSniff, []byte("nosniff"))
	ctx.SetStatusCode(status)
	ctx.Response.SetBodyString(text + "\n")
}

// unreadable answers what is no request as net/http does: below all handlers,
// so without the headers they set, without a line end, and for the last time
// on this connection.
func unreadable(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.SetContentType(typeText)
	ctx.SetStatusCode(fasthttp.StatusBadRequest)
	ctx.Response.SetBodyString("400 Bad Request")
	ctx.SetConnectionClose()
}

func notFound(ctx *fasthttp.RequestCtx) {
	plainError(ctx, fasthttp.StatusNotFound, "404 page not found")
}

// notAllowed answers a method that the path does not have; allow may be "".
func notAllowed(ctx *fasthttp.RequestCtx, allow string) {
	if allow != "" {
		ctx.Response.Header.SetCanonical(headerAllow, []byte(allow))
	}
	plainError(ctx, fasthttp.StatusMethodNotAllowed, "Method Not Allowed")
}

// sendMessage answers in the form of the members API.
func sendMessage(ctx *fasthttp.RequestCtx, status int, text string) {
	ctx.Response.Header.SetContentType(typeJSON)
	ctx.SetStatusCode(status)
	body := append([]byte(`{"message":`), appendString(nil, text)...)
	ctx.Response.SetBody(append(body, '}'))
}
