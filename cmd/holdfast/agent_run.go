package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/cmd/holdfast/internal/memory"
	"holdfast/httpd"
	"holdfast/httpd/metrics"
	"holdfast/kernel/cluster"
	"holdfast/kernel/replica"
	"holdfast/transport"
)

// drainTime bounds how long a stopping agent lets requests finish.
const drainTime = 2 * time.Second

// tune changes what is no flag. It does nothing but in the build that injects
// faults (faults.go).
var tune = func(*replica.Config) {}

// runAgent runs a member until it is told to stop by SIGTERM or SIGINT, which
// it does without leaving the cluster, or until its log fails.
func runAgent(ctx context.Context, o agentOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	a := &agent{log: log.New(os.Stderr, "", log.LstdFlags|log.Lmicroseconds), failed: make(chan error, 8)}
	network := transport.TCP()
	listeners, err := listenAll(network, o.ListenClientURLs, "--listen-client-urls")
	if err != nil {
		return err
	}
	ops, err := listenAll(network, o.ListenOpsURLs, "--listen-ops-urls")
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	member, err := cluster.Start(ctx, a.config(o, network))
	if err != nil {
		return errors.Join(fmt.Errorf("agent: %w", err), closeAll(listeners), closeAll(ops))
	}
	server := httpd.New(httpd.Config{Replica: member.Replica(), Build: version, Logf: a.log.Printf})
	shown, err := metrics.Handler(server, member.Replica(), metrics.Build{Version: version, Revision: revision()})
	if err != nil {
		return errors.Join(fmt.Errorf("agent: %w", err), member.Close(), closeAll(listeners), closeAll(ops))
	}
	server.HandleMetrics(shown)
	for _, l := range listeners {
		a.serve(l, server.Serve)
	}
	for _, l := range ops {
		a.serve(l, server.ServeOps)
	}
	a.log.Printf("holdfast %s: member %016x %q: clients %s, peers %s, operations %s, data %s", version, member.ID(), o.Name,
		strings.Join(o.ListenClientURLs, ","), o.ListenPeerURL, strings.Join(o.ListenOpsURLs, ","), o.DataDir)
	returning, stopReturning := context.WithCancel(context.Background())
	defer stopReturning()
	go memory.Return(returning)
	select {
	case <-ctx.Done():
		a.log.Print("stopping: told by a signal; the member stays in its cluster")
		stop() // a second signal ends the process at once
	case err = <-a.failed:
		a.log.Printf("stopping: %v", err)
	}
	draining, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	// Which requests have to be cut off is up to the clients: the stop is
	// orderly all the same.
	if cut := server.Shutdown(draining); cut != nil {
		a.log.Print(cut)
	}
	err = errors.Join(err, member.Close())
	a.serving.Wait()
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

// agent is what runs in one process.
type agent struct {
	log     *log.Logger
	failed  chan error
	serving sync.WaitGroup
}

// Write takes the lines of the packages below.
func (a *agent) Write(line []byte) (int, error) {
	a.log.Print(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

func (a *agent) config(o agentOptions, network transport.Network) cluster.Config {
	c := cluster.Config{
		Name: o.Name, DataDir: o.DataDir, Network: network, ListenPeer: listenAddr(o.ListenPeerURL),
		PeerURL: o.InitialAdvertisePeerURL, ClientURLs: o.AdvertiseClientURLs,
		Existing: o.InitialClusterState == stateExisting, Token: o.InitialClusterToken,
		HistoryEvents: o.HistoryEvents, Log: a,
		Replica: replica.Config{ElectionTimeout: o.ElectionTimeout, SnapshotEntries: o.SnapshotCount},
		Fatal: func(err error) {
			// The log is poisoned, or cannot be read: a write that hung may still land, and this
			// member must not go on answering its peers. Nothing is drained.
			a.log.Printf("fatal: %v; the process ends: see docs/recovery.md", err)
			os.Exit(1)
		},
	}
	tune(&c.Replica)
	for _, i := range o.InitialCluster {
		c.Initial = append(c.Initial, cluster.Initial{Name: i.Name, PeerURL: i.PeerURL})
	}
	return c
}

func (a *agent) serve(l net.Listener, serve func(net.Listener) error) {
	a.serving.Add(1)
	go func() {
		defer a.serving.Done()
		if err := serve(l); err != nil {
			select {
			case a.failed <- fmt.Errorf("serve %s: %w", l.Addr(), err):
			default:
			}
		}
	}()
}

func listenAll(network transport.Network, urls []string, flag string) ([]net.Listener, error) {
	var list []net.Listener
	for _, u := range urls {
		l, err := network.Listen(listenAddr(u))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("agent: %s %s: %w; stop what uses the port, or choose another", flag, u, err), closeAll(list))
		}
		list = append(list, l)
	}
	return list, nil
}

func closeAll(list []net.Listener) error {
	var err error
	for _, l := range list {
		err = errors.Join(err, l.Close())
	}
	return err
}

// listenAddr is the host:port of a URL that the options have checked.
func listenAddr(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}
