// Package raftrpc is hashicorp/raft's transport on a transport.Network. It is
// raft's contract with the network, kept more strictly than raft's own
// transport keeps it, because raft v1.8.0 relies on its transport for more than
// its interface says.
//
// # The promise
//
//   - Heartbeats take the same way into raft as every other RPC; the fast path
//     is not used (hashicorp/raft#695). They have a connection of their own.
//     One to a peer that has just answered a request to append is not sent.
//   - A snapshot that brings nothing new never reaches raft, which would set
//     the state machine back (the install gate, see receiveInstall).
//   - A commit index never exceeds what its request vouches for.
//   - Every request names the server it is meant for, and no other acts on it.
//   - Every request is sent once. What failed is raft's to repeat.
//   - Every AppendEntries is numbered before it is sent, and confirmations are
//     reported by number, for linearizable reads.
//   - What a peer sends is bounded, checked and owned before raft sees it.
//     Nothing it sends makes raft or this package panic.
//
// Not for: anything but raft, peers that are not trusted (they are neither
// authenticated nor is the traffic encrypted), or servers of another version
// of the wire.
//
// # Frames
//
// A connection carries frames, one request at a time and its answer. Numbers
// in the header are little-endian.
//
//	offset  size  field
//	0       1     version, 1
//	1       1     kind
//	2       2     reserved, zero
//	4       4     call: an answer and a chunk repeat their request's
//	8       4     length of the payload, at most the kind's limit
//	12      4     CRC-32C of bytes 0..11 and the payload
//	16      n     payload
//
//	kind  payload                    limit
//	1     AppendEntries              32 MiB
//	2     RequestVote                8 KiB
//	3     RequestPreVote             8 KiB
//	4     InstallSnapshot            268 KiB
//	5     TimeoutNow                 8 KiB
//	6     part of a snapshot's body  256 KiB
//	0x80  an error's text            8 KiB, sent up to 1 KiB
//	0x81 to 0x85, answers to 1 to 5  8 KiB
//
// After an InstallSnapshot of size n follow ⌈n / 256 KiB⌉ frames of kind 6, all
// full but the last; then the answer; then the connection ends.
//
// # Payloads
//
// Numbers are unsigned varints (seconds signed ones), flags one byte, bytes and
// strings a varint length and themselves. Every request opens with its target's
// ID and the milliseconds its sender will wait; every request and answer goes
// on with raft's header: protocol version, ID, address. Then:
//
//	AppendEntries    term, leader, previous index, previous term, commit index,
//	                 count, entries: index, term, type byte, flag [seconds,
//	                 nanoseconds], extensions, data
//	its answer       term, last index, success, no backoff
//	RequestVote      term, candidate, last index, last term, transfer
//	its answer       term, peers, granted
//	RequestPreVote   term, last index, last term
//	its answer       term, granted
//	InstallSnapshot  snapshot version, term, leader, last index, last term, peers,
//	                 configuration, configuration index, size
//	its answer       term, success
//	TimeoutNow       nothing more, nor does its answer
//
// # Connections
//
// One peer keeps two connections to another, for heartbeats and for entries,
// and opens one for every vote and every snapshot. They are opened when first
// needed. One that fails is closed, with the idle ones to the same peer, and
// the next RPC opens another; nothing here waits between two tries, raft does.
package raftrpc
