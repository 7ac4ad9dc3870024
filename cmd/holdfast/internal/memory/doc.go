// Package memory gives back to the system what a crowd of clients took.
//
// Go collects garbage when the heap has grown by as much again, or after two
// minutes. When ten thousand clients leave at once the heap stops growing, so that
// all they held stays where it is: stacks, read buffers, bodies. What a pool
// keeps outlasts one collection more; and what is free then goes back to the system
// at the pace of a hundredth of one processor. That is no leak, but to a machine
// that others share it looks like one for minutes, and to an operator too.
//
// # Promise
//
// Once work has become quiet, [Return] collects, twice where a crowd has left, and
// hands back what is free, if there is something to gain. A collection costs processor time in proportion
// to what is stored: the more it cost last time, the more there must be to gain, or
// the longer it waits. Work is what has the heap collected, or allocates a megabyte a
// second: some hundreds of requests.
//
// # Not for
//
// Keeping memory small while there is work, which is Go's GOMEMLIMIT.
package memory
