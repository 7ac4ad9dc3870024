// Package jepsen says whether a store kept its word.
//
// It holds what the simulator and the runs against real processes share: one
// form of history, the blocking clients that write it, and the checkers that
// read it.
//
// A [History] is what clients saw: when each operation was called, when it
// returned, and which of three ends it had. [Client] performs operations over
// HTTP and classifies their ends; [RunWorkload] is some clients' day of work.
// [CheckRegister] decides whether some order of the operations explains all
// answers; its verdicts are ok, illegal and timeout, and a timeout is never
// taken for ok.
//
// The package promises that an operation is called failed only when it
// certainly had no effect. Whatever cannot be told is unknown, and the checkers
// allow an unknown operation to happen at any time after its call, or never.
//
// It is not for driving load as fast as possible, and it does not start
// servers: see jepsen/process for that. It builds for wasip1, where the
// simulator runs its clients.
package jepsen
