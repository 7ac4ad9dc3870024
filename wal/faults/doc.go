// Package faults breaks the disk under a real daemon. Only a program built with
// the tag "faults" holds it, and it does nothing there unless the variable
// HOLDFAST_FAULTS holds a [Plan].
//
// # Promise
//
//   - [Injector.Do] carries out an operation on a file or lets a rule of the plan
//     have its way with it: the process ends by SIGKILL before or after it, it
//     fails with ENOSPC or EIO, it hangs, or it is left out.
//   - With a place to record, it keeps what a power cut would leave for certain:
//     for each file what it held, and so its length, at the call of the last sync
//     that has returned; for each directory its entries likewise. [ReadRecord]
//     reads that, also after the process was killed at any moment.
//   - What it has done is written down before it is done ([Record.Acts]).
//
// What is recorded errs on the side of too little: a sync that nobody announces
// is not recorded, and its bytes count as lost.
//
// # Not for
//
// It damages nothing itself. What a power cut makes of the rest is drawn in
// jepsen/powercut, from the record and the directory. Each sync copies the whole
// file: it is for logs of small segments.
package faults
