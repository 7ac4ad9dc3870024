//go:build wasip1

package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"holdfast/httpd"
	"holdfast/kernel/cluster"
	"holdfast/kernel/replica"
	"holdfast/sim/internal/note"
	"holdfast/transport"
)

// member runs what cmd/holdfast's agent runs, on the simulator's network and disk, until the process is killed.
func member(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("guest: member: %d arguments; expect NAME IP INITIAL-CLUSTER KNOBS", len(args))
	}
	name, ip := args[0], args[1]
	knobs, err := note.ParseKnobs(args[3])
	if err != nil {
		return fmt.Errorf("guest: member: %w", err)
	}
	network := transport.Sim()
	cfg := cluster.Config{
		Name: name, DataDir: "/" + name + ".data", Network: network,
		ListenPeer: ip + ":2380", PeerURL: "http://" + ip + ":2380", ClientURLs: []string{"http://" + ip + ":2379"},
		Token: "sim", Log: os.Stderr, HistoryEvents: knobs.HistoryEvents,
		Replica: replica.Config{
			ElectionTimeout: knobs.ElectionTimeout, Tick: knobs.Tick, SnapshotEntries: knobs.SnapshotEntries,
			SnapshotBytes: knobs.SnapshotBytes, TrailingBytes: knobs.TrailingBytes, SnapshotCheck: knobs.SnapshotCheck,
			SegmentBytes: knobs.SegmentBytes, Observer: &observer{},
		},
		Fatal: func(err error) {
			fmt.Fprintln(os.Stderr, "fatal:", err)
			os.Exit(1)
		},
	}
	for _, one := range strings.Split(args[2], ",") {
		peer, url, ok := strings.Cut(one, "=")
		if !ok {
			return fmt.Errorf("guest: member: initial cluster: %q; expect NAME=URL", one)
		}
		cfg.Initial = append(cfg.Initial, cluster.Initial{Name: peer, PeerURL: url})
	}
	clients, err := network.Listen(ip + ":2379")
	if err != nil {
		return err
	}
	m, err := cluster.Start(context.Background(), cfg)
	if err != nil {
		return err
	}
	server := httpd.New(httpd.Config{Replica: m.Replica(), Logf: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}})
	return server.Serve(clients)
}

// observer passes on to the host what the replica tells. A guest has one thread and Applied is called by one goroutine,
// so its buffer needs no lock.
type observer struct{ buffer []byte }

// Applied implements replica.Observer.
func (o *observer) Applied(a replica.Applied) {
	o.buffer = note.AppendApplied(o.buffer[:0], &note.Applied{
		Index: uint64(a.Index), Term: a.Term, Hash: a.Hash, StoreIndex: uint64(a.StoreIndex), Now: uint64(a.Now),
		Session: a.Session.Term, Restored: a.Restored, Events: a.Events,
	})
	note.SendBytes(note.Commit, o.buffer)
}

// Role implements replica.Observer.
func (o *observer) Role(state string, term uint64) {
	note.Send(note.Role, fmt.Sprintf("%s %d", state, term))
}

// Reached implements replica.Observer.
func (o *observer) Reached(p replica.Probe) { note.Send(note.Probe, string(p)) }

// Voted implements replica.Observer.
func (o *observer) Voted(term uint64, candidate string, readBack bool) {
	how := "given"
	if readBack {
		how = "read-back"
	}
	note.Send(note.Vote, fmt.Sprintf("%d %s %s", term, candidate, how))
}
