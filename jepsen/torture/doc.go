// Package torture kills leaders of a cluster of real processes under load and
// then asks every member whether it still has everything it ever confirmed.
//
// [Run] starts the members, lets writers create keys nobody else creates and
// raise counters by compare-and-swap, kills the leader with SIGKILL again and
// again, each time after a number of confirmed writes, and starts it anew. Every
// operation is journalled in a file outside the cluster. Afterwards the journal
// is read back and held against each member's own view, read locally; and over
// the whole run the members' history hashes at equal log indices are compared.
//
// Before the report is green, the judges are given a journal and hashes with
// planted faults and must refuse each of them.
//
// It shows what a crash of processes does. A crash of machines, lost fsyncs,
// partitions and clocks are for the simulator.
package torture
