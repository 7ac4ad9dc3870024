// Package client is the simulator's clients: a few that work on shared registers over HTTP, against all members alike,
// the isolated and the deposed included, and at the end read every key back through every member.
//
// It is plain blocking code over transport.Network and package jepsen, and knows nothing of being simulated; the guest
// starts it with the simulator's network. It is not for load.
package client
