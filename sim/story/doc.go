// Package story tells and draws one run of the simulator for somebody who was not there: from a sim.Recording and its
// sim.Report it makes a story in plain English (see Tell) and one self-contained HTML page with a picture (see WritePage).
//
// # Promise
//
// Everything told or drawn is of the run: nothing is made up, and what is left out is counted and said. A story of a red run
// holds what matters around the first finding of the checker that decided the verdict: leaders, faults, deaths, restarts,
// snapshots taken over, the operations that the finding tells of and the last ones on its key, and why it is a contradiction.
// One of a green run is an outline. The same run gives the same text and the same page.
//
// A page asks nothing of any network, and holds any key and value: they are data in it, never markup. Its size is bounded, see
// Limits.
//
// # Not for
//
// Judging runs (package jepsen does), or playing them (package sim): this package only reads what they leave behind.
package story
