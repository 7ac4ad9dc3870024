// Package disk is the simulator's disk: one file system per member, held in memory, served to the member's process
// through WASI.
//
// Its promise: it supports what package os asks for on GOOS=wasip1; its contents outlive the process that wrote them;
// directories are read in the order of their names; it knows at every moment what a power cut may still take away; and
// every fault it shows is decided by draws it is given, so that the same draws give the same disk.
//
// A disk has two halves. The volatile half is what the process sees. The durable half is what fsync has been called for:
// a file's bytes by a sync of the file, a name (made, renamed, removed) by a sync of the directory that holds it. The
// difference is kept by the sector (512 bytes) and by the operation on names, so that a sync costs what was changed since
// the last one and not the size of the file.
//
// # What a power cut may leave
//
// Of the operations on names that were not synced, any subset, where each is whole or not at all (a rename never leaves
// both names or none, as on a journaling file system), and none persists without the earlier ones about the same name or
// the same file. What a directory holds and its own name are independent of each other.
//
// Of a file that was not synced, any subset of the changed sectors; in some cuts the first of them, as from a disk that
// writes in order. Its length is the synced one, the newest, or a sector
// boundary between, and what lies within it but was not written is zeros. If the file was cut short since the last sync,
// that has either happened as a whole or not at all, before everything written after it.
//
// A file removed by the cut is gone with its bytes. What is left is durable.
//
// # Faults
//
// Hooks.Before can make any operation fail. A sync that fails may have made part of its work durable, and what it has not
// may count as clean from then on, so that a later sync which succeeds does not save it: so do several kernels. Bytes that
// are written again are saved again.
//
// A full disk answers EIO: WASI has an error number for it (51, nospc), but wazero's sys.Errno has none, and turns all it does
// not know into EIO.
//
// It is not for: links, permissions (recorded, never enforced), the durability of modes and times (always durable), more
// than one process at a time.
package disk
