// Command holdfast-sim plays Holdfast clusters in package sim's deterministic simulator.
//
//	holdfast-sim guest                       # build bin/guest.wasm
//	holdfast-sim run --seed 0x1f             # play one seed
//	holdfast-sim smoke --seed 0x1f           # twice, held against each other step by step
//	holdfast-sim sweep --from 1 --seeds 300  # many, in processes of their own, with totals
//	holdfast-sim corpus LEDGER               # of a sweep's seeds few that reach every rare state: sweep --corpus plays them
//	holdfast-sim replay FILE                 # a decision log that run --log wrote, edited or not
//	holdfast-sim shrink FILE                 # such a log of a red run, without what its failure does not need
//	holdfast-sim report FILE                 # the run of such a log as a story, and as a page with a picture
//	holdfast-sim diff A B                    # where two logs part and, with modules, the runs
//	holdfast-sim determinism --seeds 50      # many seeds as smoke does
//	holdfast-sim mutants                     # is every planted fault found?
//	holdfast-sim bench                       # virtual seconds per CPU second
//
// The last line of run, smoke, replay and report is
//
//	seed=0x… module=… hash=0x… verdict=ok|safety|liveness|crash|nondeterminism|timeout
//
// with before=… behind the module in a run of mixed versions, and the exit status says the verdict: 0, 10, 11, 12, 13, 14 in
// that order; 1 is a failure of the simulator itself, or a run in which no member applied anything, 2 bad usage. A corrupt
// decision log, and one that was made with another module, or is played without that of its earlier version, are bad usage.
//
// Smoke and determinism compare steps: that a checker did not end in real time is told and counted there, and is ok.
//
// Sweep and determinism exit with the verdict of the lowest seed that failed. A sweep also fails, with status 1, if more
// than one seed in a hundred was left undecided by its checkers, none was decided, or too little happened in its seeds to be
// worth a verdict: it then names what is missing, with figures; and if --every-probe is given and no seed reached one of the
// rare states that runs are asked for. Mutants exits with 1 if
// one survives or a seed spent on one is not green without it, bench if the simulator is too slow.
//
// It holds flags, processes and sums only; what a run is, and what is right, packages sim and jepsen know.
package main
