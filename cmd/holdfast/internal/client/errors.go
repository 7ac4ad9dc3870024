package client

import (
	"errors"
	"fmt"
	"strings"
)

// StoreError is a refusal by the store itself, in etcd v2's form. The request
// was answered, so its outcome is known: nothing was changed.
type StoreError struct {
	Code     int    `json:"errorCode"` // etcd v2 error code, 100..499; 0 under /v2/members
	Message  string `json:"message"`
	Cause    string `json:"cause"`
	Index    uint64 `json:"index"` // store index when the answer was given
	Status   int    `json:"-"`     // HTTP status
	Endpoint string `json:"-"`     // who answered
}

// Error gives the refusal in the words etcdctl users know.
func (e *StoreError) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("%s (status %d)", e.Message, e.Status)
	}
	return fmt.Sprintf("%d: %s (%s) [%d]", e.Code, e.Message, e.Cause, e.Index)
}

// UnknownOutcomeError reports a write that reached a member and whose answer
// is missing or does not tell: it may have happened, or may still happen.
type UnknownOutcomeError struct {
	Endpoint string
	Err      error // what took the answer away
}

// Error says that the outcome is unknown, and why.
func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("outcome unknown, the write may or may not have happened: %v", e.Err)
}

// Unwrap gives the reason.
func (e *UnknownOutcomeError) Unwrap() error { return e.Err }

// Attempt is one endpoint that was tried in vain.
type Attempt struct {
	Endpoint string
	Err      error
}

// UnreachableError reports that no endpoint gave an answer. Nothing was
// written.
type UnreachableError struct {
	Attempts []Attempt // in the order tried, at least one
}

// Endpoints lists the endpoints tried, comma separated.
func (e *UnreachableError) Endpoints() string {
	names := make([]string, 0, len(e.Attempts))
	for _, a := range e.Attempts {
		names = append(names, a.Endpoint)
	}
	return strings.Join(names, ",")
}

// Error gives the cause per endpoint.
func (e *UnreachableError) Error() string {
	if len(e.Attempts) == 1 {
		return fmt.Sprintf("no answer: %v", e.Attempts[0].Err)
	}
	causes := make([]string, 0, len(e.Attempts))
	for _, a := range e.Attempts {
		causes = append(causes, fmt.Sprintf("%s: %v", a.Endpoint, a.Err))
	}
	return "no answer from any endpoint: " + strings.Join(causes, ", ")
}

// Unwrap gives the causes.
func (e *UnreachableError) Unwrap() []error {
	errs := make([]error, 0, len(e.Attempts))
	for _, a := range e.Attempts {
		errs = append(errs, a.Err)
	}
	return errs
}

// ProtocolError reports an answer that is not the etcd v2 API's: most often a
// different service listens at the endpoint.
type ProtocolError struct {
	Endpoint string
	Status   int
	Body     string // its first bytes
}

// Error shows the status and the start of the body.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("not an etcd v2 answer (status %d): %q", e.Status, e.Body)
}

// EndpointError reports an endpoint that cannot be used as given.
type EndpointError struct {
	Endpoint string
	Reason   string
}

// Error names the endpoint and the reason.
func (e *EndpointError) Error() string { return fmt.Sprintf("%q %s", e.Endpoint, e.Reason) }

func asProtocol(err error) (*ProtocolError, bool) {
	var protocol *ProtocolError
	ok := errors.As(err, &protocol)
	return protocol, ok
}
