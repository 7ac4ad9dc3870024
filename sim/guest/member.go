//go:build wasip1

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"holdfast/httpd"
	"holdfast/kernel/cluster"
	"holdfast/kernel/replica"
	"holdfast/sim/internal/note"
	"holdfast/transport"
)

// lookEvery is how often a member's state is looked at for the timeline.
const lookEvery = 20 * time.Millisecond

// member runs what cmd/holdfast's agent runs, on the simulator's network and disk, until the process is killed.
func member(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("guest: member: %d arguments; expect NAME IP INITIAL-CLUSTER", len(args))
	}
	name, ip := args[0], args[1]
	network := transport.Sim()
	cfg := cluster.Config{
		Name: name, DataDir: "/" + name + ".data", Network: network,
		ListenPeer: ip + ":2380", PeerURL: "http://" + ip + ":2380", ClientURLs: []string{"http://" + ip + ":2379"},
		Token: "sim", Log: os.Stderr,
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
	go watch(m.Replica())
	server := httpd.New(httpd.Config{Replica: m.Replica(), Logf: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}})
	return server.Serve(clients)
}

// watch notes every change of who leads in which term, as this member sees itself.
func watch(r *replica.Replica) {
	last := ""
	for range time.Tick(lookEvery) {
		s := r.Status()
		if now := fmt.Sprintf("%s term=%d", s.State, s.Term); now != last {
			note.Send(note.State, now)
			last = now
		}
	}
}
