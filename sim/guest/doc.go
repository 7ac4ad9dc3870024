//go:build wasip1

// Command guest is what the simulator runs as WebAssembly: as a member it is the production replica behind its production
// HTTP front end, as a client it is package sim/client. It builds for GOOS=wasip1 GOARCH=wasm only, and works only inside
// package sim's host.
//
// Its arguments are the host's business (see newScenario in package sim):
//
//	guest member NAME IP INITIAL-CLUSTER KNOBS
//	guest client CONFIG
package main
