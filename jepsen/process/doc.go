// Package process runs real daemons for tests: Holdfast's own, and etcd's for
// comparison, alone or as a static cluster, on loopback ports of their own.
//
// A [Program] knows how a daemon is called. A [Member] is one daemon with its
// data directory: it can be started, killed as by a power cut of the process
// (SIGKILL), stopped politely (SIGTERM) and started again on the same data. A
// [Cluster] is several of them that know each other.
//
// The package promises that a started process ends with its parent where the
// system can arrange it, and that every failure to start says what the daemon
// wrote last. It is not a supervisor: nothing is restarted by itself.
package process
