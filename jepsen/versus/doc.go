// Package versus holds Holdfast against etcd 3.6 where load does not tell: how
// soon it writes again when its leader is killed, how soon it writes at all
// after an empty start, and what a million keys cost in memory, at a restart and
// in a snapshot.
//
// [Run] starts both as real processes on one machine, with their default
// settings and every write synced, and lets them take turns in one run, so that
// a neighbour's noise meets both. Both are asked in the same way, by the same
// code, at the same pace; only the encoding of a request differs. The [Report] has a
// line for each comparison with the ratio of the medians, and each ratio has a
// ceiling: a line above it, or without a figure, does not hold.
//
// Throughput, latency and CPU are for "holdfast bench"; lost writes for package
// torture. The figures are those of one machine at one time: the ratio is what
// carries further, and least and most say how far to trust it.
package versus
