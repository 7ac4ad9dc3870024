// Command holdfast is the daemon (holdfast agent) and the command line of
// Holdfast, a coordination store that speaks the etcd v2 HTTP API.
//
// This package holds flags, wiring and the wording of results and errors. What
// a command prints is what etcdctl prints under ETCDCTL_API=2. Results go to
// the standard output, everything else to the standard error. Exit codes:
//
//	0  done
//	1  failed
//	2  called wrongly: unknown command or flag, missing or bad argument
//
// Errors have one form, "what: where: cause; do this".
package main
