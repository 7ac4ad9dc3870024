// Package mutant holds builds of the guest with a known fault each, and hunts them: what the simulator has found when it
// says "ok" is worth what it finds when it should not.
//
// Its promise: every fault in All is one that a store like this one has had, or nearly had, or, from M50 on, one that goes for a
// promise that few checkers look at; and it is planted in the production sources as they are now. An edit whose place has
// changed fails to apply, so that no mutant can turn into a clean build unnoticed. A Campaign plays fresh seeds against one
// mutant until one is red or the time is spent; WriteTable tells what came of all of them, those that nobody caught included.
//
// Where production guards against a fault more than once, a mutant has several edits: the fault, and the other guard taken
// away. Where the transport of this store never does what would bring a fault of raft's to light (it sends nothing twice), an
// edit makes it do so.
//
// It is not for faults of the environment: those are the simulator's to produce.
package mutant
