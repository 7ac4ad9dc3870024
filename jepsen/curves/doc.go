// Package curves measures how the cost of an operation grows with what the
// store holds and serves: keys, connections, watches, the size of values. It
// starts a real daemon, walks along each axis with "holdfast bench" as the load,
// and holds each curve against a rule that says how much it may grow.
//
// Its promise is a verdict that a busy machine does not change: what is judged
// is the daemon's own CPU time per operation, user and system, and memory per
// key or watch, never rates or latencies, which are reported beside them.
//
// It is no benchmark of one build against another or against another store;
// "holdfast bench --against" is.
package curves
