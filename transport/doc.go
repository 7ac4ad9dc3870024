// Package transport is the one door to the network. Every part of a member
// that talks (raft, forwarding, joining, HTTP) is given a [Network] and uses
// nothing else, which is what lets the same replica run on TCP, in a test with
// several members in one process, and inside the simulator.
//
// # What is here
//
//   - [Network]: listen and dial, the whole contract.
//   - [TCP]: the operating system's TCP.
//   - [NewMemory]: an in-process network whose links can be cut, for tests.
//   - [TryWriter]: writing to a connection of any of them what it takes at once.
//   - [Mux] and [DialProto]: several protocols behind one listening port.
//   - raftrpc, a package of its own: raft's transport on top of a Network.
//
// # The preamble
//
// A peer port carries several protocols. Whoever dials says first which one it
// speaks, in eight bytes, and gets no answer to them:
//
//	offset  size  field
//	0       4     magic, "HFST"
//	4       1     protocol: 1 raft, 2 forward, 3 join
//	5       1     version of the preamble, 1
//	6       2     reserved, zero
//
// A connection whose preamble is wrong, late or for a protocol nobody serves
// is closed and counted. What follows the preamble is the protocol's own
// affair, version included.
//
// # What this package is not for
//
// It knows nothing of messages, retries, or who is a member. It neither
// authenticates nor encrypts: a TLS Network would wrap TCP's, and everything
// above would stay as it is. Until there is one, the peer port belongs on a
// trusted network.
package transport
