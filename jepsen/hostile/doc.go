// Package hostile attacks a real daemon from outside, in each way of a table,
// and counts what the attack leaves behind.
//
// # Promise
//
//   - Each row is a run of the daemon, a process of its own. What it answered is
//     counted answer by answer, and its goroutines, open descriptors and resident
//     memory are read before the attack, during it, and five seconds after the
//     attacker's connections have gone. [WriteTable] writes them down.
//   - A row fails if an answer is missing, or is another than the row expects; if
//     more than [MoreGoroutines], [MoreDescriptors] or [MoreResident] are left; if a
//     well-behaved client beside the attack waits for longer than [ServedWithin] or
//     is not served; or if the daemon ends, panics, or fills its log.
//
// # Not for
//
// Speed: the bounds are generous, the peaks are for people to read. Attacks by
// members of the cluster that keep to the protocol, and lie, are the
// simulator's. It needs /proc, that is, Linux.
package hostile
