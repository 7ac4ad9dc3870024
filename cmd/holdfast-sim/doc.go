// Command holdfast-sim plays a Holdfast cluster in package sim's deterministic simulator.
//
//	holdfast-sim guest                       # build bin/guest.wasm
//	holdfast-sim run --seed 0x1f             # play one seed
//	holdfast-sim smoke --seed 0x1f           # twice, held against each other step by step
//
// The last line of run and smoke is
//
//	seed=0x… module=… hash=0x… verdict=ok|safety|liveness|crash|nondeterminism|timeout
//
// and the exit status says the verdict: 0, 10, 11, 12, 13, 14 in that order; 1 is a failure of the simulator itself, or a
// run that found nothing but whose own faults did not take place, 2 bad usage. It holds flags and wiring only.
package main
