// Package disk is the simulator's disk: one file system per member, held in memory, served to the member's process
// through WASI.
//
// Its promise: it supports what package os asks for on GOOS=wasip1; its contents outlive the process that wrote them;
// directories are read in the order of their names; and it knows at every moment what a power cut may still take away.
// A disk has two halves. The volatile half is what the process sees. The durable half is what fsync has been called for:
// a file's bytes by a sync of the file, a name (made, renamed, removed) by a sync of the directory that holds it. The
// difference is kept by the sector (512 bytes) and by the name, as the older state, so that a sync costs what was written
// since the last one and not the size of the file.
//
// It is not for: links, permissions (recorded, never enforced), more than one process at a time.
package disk
