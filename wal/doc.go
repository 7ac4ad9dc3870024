// Package wal keeps everything hashicorp/raft needs on disk: the log
// ([Log], a raft.LogStore), the term and the vote ([Stable], a
// raft.StableStore) and the snapshots ([Snapshots], a raft.SnapshotStore).
//
// # Promise
//
//   - What StoreLogs, Set and a sink's Close have answered with nil survives a
//     power cut. One StoreLogs costs one sync (two more when it fills a segment).
//   - An interrupted write never keeps a member from starting; damage to what
//     had been synced always does, and the error names file and offset. The one
//     thing that cannot be told apart is written down in docs/format-wal.md.
//   - Whatever the files hold, opening them neither panics nor grows memory
//     beyond a segment: every length read from disk is checked against limits.go.
//   - A failed or hung write poisons the log for good; its outcome is unknown.
//   - Log, votes and snapshots that contradict each other are put right
//     ([Reconcile]) or refused before raft sees them.
//
// # Mechanism
//
// Records are appended by tidwall/wal, in files named after their first index.
// Everything that library lacks is done here, around it: a frame of our own
// inside each of its records (checksummed with a secret of the log and the
// place in the file, frame.go), verification and repair before it opens the
// files (scan.go, repair.go), truncation (truncate.go), reading beside writes
// (read.go) and the syncing of directories (files.go).
//
// # Not for
//
// It does not know what a command means, takes no lock on its directory (the
// daemon does) and is not a general log: entries are raft's, indices have no
// holes, and one process owns the directory. Only [Inspect] and [Verify] may be
// used on a directory that another process has open.
//
// # Compatibility
//
// Every file starts with a magic number and a version. A later version of this
// package reads the files of an earlier one or refuses them by name.
package wal
