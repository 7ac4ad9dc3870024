// Package replica is one member of a cluster: hashicorp/raft drives the
// kernel, the log is kept by package wal, peers are reached through package
// transport.
//
// Its promises:
//
//   - A write that was answered is applied on a quorum, and on this member,
//     and survives any minority of failures. A write that ends with ErrUnknown
//     may or may not be; every other error says that nothing was done.
//   - Linearizable answers from a state that includes every write answered
//     anywhere before the call. Local answers from what this member has
//     applied; it never goes back, across restarts too.
//   - A watcher sees the events of its watch in order, once each, without a
//     gap, or is refused (code 401), or is ended cleanly.
//
// It is not for: HTTP, flags, or deciding who is a member (kernel/cluster).
// It runs under GOOS=wasip1 as it runs in production; the simulator drives
// this very code.
package replica
