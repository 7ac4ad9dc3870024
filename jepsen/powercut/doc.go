// Package powercut cuts the power under a real daemon, again and again, and says
// whether it kept its word.
//
// A round: the daemon, built with the tag "faults", starts on the directory that
// the last cut left, must be whole, takes writes of several clients and is ended
// by SIGKILL at a drawn place, most often between the write of log records and
// their sync. What a power cut then leaves is drawn (disk.go) from the directory
// and the record of what had been synced (wal/faults): of everything else any
// part may be gone, be zeros, garbage or an older state, in any order of sectors,
// files and directory entries.
//
// # Promise
//
//   - After every cut "holdfast wal verify" finds no damage, the daemon starts,
//     every acknowledged write is there by a quorum read, none that was refused
//     is, and the term has not gone back.
//   - [Plant] shows that the same rounds find a daemon that leaves a sync out.
//   - All that is drawn follows from the seed and the round; where the cut comes
//     in the clients' work does not, so a round that fails leaves the directory
//     as the cut left it, beside the one it was made from and the record.
//
// # Not for
//
// What disks do against their word (rot, errors, no space) is in
// jepsen/diskfault. Clusters under power cuts are the simulator's.
package powercut
