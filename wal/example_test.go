package wal_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"holdfast/wal"
)

// A member opens its three stores, lets Reconcile bring log and snapshots
// together, and hands them to raft.NewRaft.
func Example() {
	data, err := os.MkdirTemp("", "holdfast-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(data)

	log, err := wal.Open(filepath.Join(data, "raft", "log"), wal.Options{
		Fatal: func(err error) { fmt.Fprintln(os.Stderr, err); os.Exit(1) },
	})
	if err != nil {
		panic(err)
	}
	defer log.Close()
	stable, err := wal.OpenStable(filepath.Join(data, "raft", "stable"))
	if err != nil {
		panic(err)
	}
	snapshots, err := wal.OpenSnapshots(filepath.Join(data, "raft", "snapshots"), 2)
	if err != nil {
		panic(err)
	}
	if err := wal.Reconcile(log, snapshots); err != nil {
		panic(err)
	}

	// From here on the stores are raft's. What it does with them:
	log.OnSync(func(last uint64) { fmt.Println("durable up to entry", last) })
	if err := stable.SetUint64([]byte("CurrentTerm"), 1); err != nil {
		panic(err)
	}
	if err := log.StoreLogs([]*raft.Log{
		{Index: 1, Term: 1, Type: raft.LogCommand, Data: []byte("first")},
		{Index: 2, Term: 1, Type: raft.LogCommand, Data: []byte("second")},
	}); err != nil {
		panic(err)
	}
	var entry raft.Log
	if err := log.GetLog(2, &entry); err != nil {
		panic(err)
	}
	fmt.Printf("entry %d: %s\n", entry.Index, entry.Data)

	// Output:
	// durable up to entry 2
	// entry 2: second
}
