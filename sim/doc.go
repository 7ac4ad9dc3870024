// Package sim plays a whole Holdfast cluster, deterministically, from one seed.
//
// Every member is the production replica behind its production HTTP front end, compiled to WebAssembly (sim/guest), in a
// wazero instance of its own; so is a process of clients (sim/client). The instances run one at a time, each on a host
// goroutine that moves only while it holds the baton, and everything they can learn of a world comes from this package:
// clocks, random bytes, files, a network. A process waits in one place, poll_oneoff, and there it gives the baton back; the
// loop then lets the next event of virtual time happen.
//
// # Promise
//
// The same module bytes and the same Options give the same run: the same host calls with the same arguments and results,
// clock readings included, in the same order, on any machine. Report.Hash rolls over all of them; a run can be held against
// another's Trace, and the first step that differs is named. Every random decision is a function of the seed, its purpose,
// the machine or link it concerns and a counter (see draws), never of a shared stream.
//
// # The world
//
// A machine has an address, clocks, a disk and one process at most. Virtual time is in nanoseconds from the start of the run
// and never goes back; a process's own time runs ahead of the world's by what its clock readings cost until it waits.
// The network carries reliable, ordered streams with bounded buffers. A latency is drawn per segment; a cut link (they are
// kept by direction) holds segments up and swallows resets; mending sends again. A killed process's peers are reset.
// A disk (sim/disk) outlives its processes and knows what has been synced. An fsync takes virtual time, in which the whole
// process stands still. A kill is a panic in the host function in which the process stands: memory is lost, files stay as
// they were written.
//
// # What a run is
//
// Phase one isolates one member from the others (not from the clients) and kills one; phase two is calm. Then the history
// must be linearizable per key, either phase must have confirmed a write, and phase two a quorum read through every member; both
// faults must really have taken place. See Verdict.
//
// # Limits
//
// Not shown, whatever the seed: data races, preemption between plain statements (the guest's goroutines switch only where
// they block, in the runtime's own order), the kernel's TCP, real fsync, power cuts (the disk keeps the books for them, no
// fault uses them yet), clock drift and steps. A disk hangs for the whole process, not for one thread. A guest that
// computes for ever without a host call cannot be interrupted, and may keep even Options' wall time from acting.
// The package is not for production code to import.
package sim
