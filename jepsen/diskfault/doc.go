// Package diskfault breaks the disk of a real daemon in each way of a table, and
// holds what the daemon does against what the table expects: it starts with all
// that was acknowledged, it refuses to start and says so, or it ends and says so.
//
// # Promise
//
//   - Each row is a run of the daemon, built with the tag "faults". Its words and
//     its exit code are taken from that run, and [WriteTable] writes them down.
//   - A row fails if the daemon does anything else, says it in other words, ends
//     with another exit code, panics, or if something acknowledged is missing
//     once the disk works again. Damage that makes it refuse does so at the
//     second start too, and "holdfast wal verify" names it.
//   - Each row leads to the section of docs/recovery.md that explains its words.
//
// # Not for
//
// Power cuts are in jepsen/powercut: there nothing may be refused.
package diskfault
