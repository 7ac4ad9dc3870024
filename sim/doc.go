// Package sim plays a whole Holdfast cluster, deterministically, from one seed.
//
// Every member is the production replica behind its production HTTP front end, compiled to WebAssembly (sim/guest), in a
// wazero instance of its own; so is a process of clients (sim/client). The instances run one at a time, each in a coroutine
// that moves only while it holds the baton, and everything they can learn of a world comes from this package: clocks, random
// bytes, files, a network. A process waits in two places, poll_oneoff and fsync, and there it gives the baton back; the loop
// then lets the next event of virtual time happen.
//
// docs/simulator.md tells how to use it, how it works at length, and how to add a workload, a checker, a fault or a mutant.
//
// # Promise
//
// The same module bytes and the same Options give the same run: the same host calls with the same arguments and results,
// clock readings included, in the same order, on any machine. Report.Hash rolls over all of them; a run can be held against
// another's Trace, and the first step that differs is named. A Recording looks on, for stories and pictures (package sim/story),
// and changes nothing. Every random decision is a function of the seed, its purpose,
// the machine or link it concerns and a counter (see draws), never of a shared stream. The one thing that real time decides
// is whether a run, or a checker that searches, comes to a conclusion: VerdictTimeout.
//
// # The world
//
// A machine has an address, clocks, a disk and one process at most. Virtual time is in nanoseconds from the start of the run
// and never goes back; a process's own time runs ahead of the world's by what its clock readings cost until it waits. Its
// clocks have an offset and a rate error, may be set, and may stand still (see clock).
//
// The network carries reliable, ordered streams with bounded buffers. A latency is drawn per segment. What a cut link (they
// are kept by direction) swallows is sent again after the mend if its sender still can; a reset that met the cut is not, and
// leaves the other end half open (see condition for all that a link can have). The kernel of a killed process closes its
// sockets: peers read what was sent and then the end of the stream, or are reset if something was left unread. Of a machine
// without power nobody hears anything.
//
// A disk (sim/disk) outlives its processes and knows what has been synced. An fsync takes virtual time, in which the whole
// process stands still. A kill is a panic in the host function in which the process stands: memory is lost, files stay as
// they were written. A power cut takes of what was not synced as much as chance decides.
//
// # What a run is
//
// A Plan and a schedule of Faults, both drawn from the seed before anything happens, or read from a decision log. In phase
// one the nemesis plays the faults while clients work. Phase two is calm: all is healed, but for members whose disks were
// destroyed. Then package jepsen's checkers are asked about the clients' history and what members noted of themselves
// (replica.Observer); no process may have ended without an excuse; a write must have been confirmed in the stated time, and a
// quorum read through every member that is whole. See Verdict. With the guest of an earlier version beside the present one
// some members begin with that, and are upgraded in phase one, with their disks (see Plan.Upgrades).
//
// # Limits
//
// Not shown, whatever the seed: data races, preemption between plain statements (the guest's goroutines switch where they
// block, and by a change to their runtime where they read the clock or sync, or make a higher one ready, in an order of the
// seed's), the kernel's TCP, real fsync, what computing costs. A disk hangs for the whole process, not for one thread; a full one answers EIO; a rename
// is never torn. Disks are destroyed only as far as the others can bear it. A guest that computes for ever without a host
// call cannot be interrupted: the run ends without it. docs/simulator.md has the whole list.
//
// The package is not for production code to import.
package sim
