// Package client speaks the etcd v2 HTTP API for the holdfast command line.
//
// Its promise is about retries, the one thing a command line must not get
// wrong: a read may be sent again to the next endpoint, a write is sent again
// only when it certainly never left this process (no connection was made). A
// write whose answer is lost is reported as [UnknownOutcomeError], never
// repeated and never called failed.
//
// It is not a client library: it knows what the command line needs and no
// more. Programs use an etcd v2 client of their language.
package client
