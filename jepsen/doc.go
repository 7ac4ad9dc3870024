// Package jepsen says whether a store kept its word.
//
// It holds what the simulator and the runs against real processes share: one
// form of history, the blocking clients that write it, the workloads that they
// do, and the checkers that read it.
//
// A [History] is what clients saw: when each operation was called, when it
// returned, and which of three ends it had. [Client] performs operations over
// HTTP and classifies their ends; [RunWorkload] is some clients' day of work, of
// one of the [Workloads], and [ReadBack] looks at what they left.
//
// A [Run] is all that is known of one run: the history, and what the members
// reported of themselves, entry by entry ([Commit]), role by role ([Role]), vote
// by vote ([Vote]), if there is such a report. Each of [Checkers] holds runs
// against one promise and gives a [Result] with the violations that it found.
// [CheckRegister] is for registers alone, and needs no report. Verdicts are ok,
// illegal and timeout, and a timeout is never taken for ok.
//
// The package promises that an operation is called failed only when it
// certainly had no effect. Whatever cannot be told is unknown: the committed
// log resolves it where there is one, otherwise the checkers allow it to happen
// at any time after its call, or never. Every value that a workload writes is
// unique in its run, so that an event names its operation. What a client draws
// follows from its seed and its process number alone.
//
// It is not for driving load as fast as possible, and it does not start
// servers: see jepsen/process for that. It builds for wasip1, where the
// simulator runs its clients. How to add a workload or a checker is in
// docs/simulator.md.
package jepsen
