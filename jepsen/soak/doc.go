// Package soak lets three real members work for long and says whether they grow.
//
// [Run] measures the most that the members do, and then asks for a share of it for
// as long as it is told, while members are stopped, killed and held up. All the
// time it samples what each process holds: goroutines, descriptors, memory, disk.
// [Judge] says of each such series whether it is flat, and the picture shows them
// all.
//
// Beside growth the run fails if a member ends by itself, if a client gets no
// answer while nothing was done to the members, and if in the end a member does
// not hold what was acknowledged.
//
// The first member is never started anew, only held up when it leads and its turn
// has come: a leak that needs a process's whole life shows there. The others show
// what restarts leave on disk.
//
// It needs Linux, which tells what a process holds. It is no measure of speed: see
// docs/performance.md for that.
package soak
