// Command holdfast-jepsen tortures a cluster of real processes and says whether
// it kept its word.
//
//	holdfast-jepsen kill --bin bin/holdfast
//
// starts three members, kills the leader ten times under load, and checks that
// each member still has every confirmed write and that their histories are one.
// What it found is on stdout, its steps are on stderr. It exits with 0 if every
// promise was kept, 1 if one was broken or the run could not be carried out,
// and 2 if it was called wrongly.
//
// Flags and wiring are here; the work is done in jepsen/torture.
package main
