// Package httpd is a member's HTTP front end: the etcd v2 API and Consul's
// snapshots for clients, and the ops port for who runs the member.
// docs/http-api.md lists every endpoint, every limit and every difference from
// etcd 3.4.
//
// Its promises:
//
//   - What etcd 3.4 answers on the v2 paths, in status, headers and body, is
//     what this package answers; a request is parsed by net/url's rules and
//     encoded by encoding/json's, without either on the hot path.
//   - Nothing a client sends grows the process without bound (limits.go) or
//     ends it: a panic costs its own connection only.
//   - A long poll's headers are on the wire at once; its client's hang-up is
//     noticed at once; its connection serves further requests afterwards.
//   - Shutdown lets requests finish and ends watches as a client can resume
//     from: with a complete, empty answer.
//
// It holds no state of its own beyond its connections and the counters of
// reads. It is not for: deciding anything about the store (package kernel) or
// about the cluster (package replica).
package httpd
