// Package shrink makes a failing run small enough to be understood: it takes away from a decision log whatever is not needed
// for the failure, and gives back a log that fails alike.
//
// What it takes away, in this order: faults, upgrades, what is special in the schedule of members' goroutines, clients,
// operations, members, time, single operations. Faults, clients and single operations go by delta debugging (Zeller and
// Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002): halves first, then smaller and smaller parts, at last one
// by one; rates and times by halves. It goes round until nothing goes any more, so that of the faults and clients that are left
// each single one is needed. Single operations are many and cost a run each: they come when all else has settled, and then it
// goes round again.
//
// A client may be needed for no better reason than that without it everything happens a little earlier, and so may operations
// and a schedule: hence with fewer of them a few other seeds are tried, too, under the same plan and the same faults.
//
// # Promise
//
// The same log and a Test that answers alike give the same result, however many tests are made at a time. The result has been
// tested, as all that it came from. A decision that is missing means that nothing happens, and every other one stays as it was
// (see package sim): that is what makes logs fit to be shrunk.
//
// The package plays nothing itself, and knows neither files nor processes: that is its Test's affair.
package shrink
