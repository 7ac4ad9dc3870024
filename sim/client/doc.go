// Package client is the simulator's clients: package jepsen's workloads over HTTP, against all members alike, the isolated
// and the deposed included, and at the end a look through every member at what they have left.
//
// It is plain blocking code over transport.Network and package jepsen, and knows nothing of being simulated; the guest
// starts it with the simulator's network. It is not for load.
package client
