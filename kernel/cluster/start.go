package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/kernel"
	"holdfast/kernel/replica"
	"holdfast/transport"
	"holdfast/wal"
)

// Member is a running member.
type Member struct {
	cfg     Config
	id      uint64
	replica *replica.Replica
	mux     *transport.Mux
	lock    io.Closer
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// Start starts a member: a new one, or the one whose data directory this is.
// Errors wrap the sentinels of this package and of package wal and say what
// to do.
func Start(ctx context.Context, cfg Config) (*Member, error) {
	if cfg.AskFor <= 0 {
		cfg.AskFor = DefaultAskFor
	}
	if len(cfg.Initial) == 0 {
		cfg.Initial = []Initial{{cfg.Name, cfg.PeerURL}}
	}
	if err := checkLimits(cfg); err != nil {
		return nil, err
	}
	if err := prepare(cfg.DataDir); err != nil {
		return nil, err
	}
	held, err := lock(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	m := &Member{cfg: cfg, lock: held}
	if err := m.open(ctx); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	background, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	m.wg.Add(1)
	go m.publish(background)
	return m, nil
}

// checkLimits refuses what could never be published.
func checkLimits(cfg Config) error {
	_, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpMemberAdd, Member: kernel.Member{
		ID: 1, Name: cfg.Name, PeerURLs: []string{cfg.PeerURL}, ClientURLs: cfg.ClientURLs,
	}})
	if err != nil {
		return fmt.Errorf("start: %w; shorten the name or the URLs", err)
	}
	return nil
}

// open brings the replica up. What it writes before the replica is open can
// be written again by the next start, should this one end in between.
func (m *Member) open(ctx context.Context) error {
	rc := m.cfg.Replica
	rc.Name, rc.Network, rc.Fatal, rc.Log = m.cfg.Name, m.cfg.Network, m.cfg.Fatal, m.cfg.Log
	rc.Dir = filepath.Join(m.cfg.DataDir, raftDir)
	var err error
	if rc.Addr, err = hostPort(m.cfg.PeerURL); err != nil {
		return err
	}
	id, known, err := m.identify(ctx)
	if err != nil {
		return err
	}
	m.id, rc.ID, rc.ClusterID, rc.Voters = id.Member, id.Member, id.Cluster, id.Voters
	ln, err := m.cfg.Network.Listen(m.cfg.ListenPeer)
	if err != nil {
		return fmt.Errorf("peer port: %w; stop what uses it, or choose another with --listen-peer-urls", err)
	}
	m.mux = transport.NewMux(ln)
	if !known {
		if err := saveIdentity(m.cfg.DataDir, id); err != nil {
			return errors.Join(err, m.mux.Close())
		}
	}
	rc.Mux = m.mux
	if m.replica, err = replica.Open(rc); err != nil {
		return errors.Join(adviseDisk(err), m.mux.Close())
	}
	if !id.Started {
		id.Started, id.Voters = true, nil
		if err := saveIdentity(m.cfg.DataDir, id); err != nil {
			return errors.Join(err, m.replica.Close(), m.mux.Close())
		}
	}
	return nil
}

// adviseDisk adds what to do to the error of a disk that fails, is full or hangs.
// Damage found on it comes with its own advice.
func adviseDisk(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	failed := errors.As(err, &path) || errors.As(err, &link) || errors.Is(err, wal.ErrHangs)
	if !failed || errors.Is(err, wal.ErrCorrupt) || errors.Is(err, wal.ErrNotWhole) {
		return err
	}
	return fmt.Errorf("%w; see to the disk and the room on it, then start again: see docs/recovery.md", err)
}

// identify finds out who this member is: from its directory, from its flags,
// or from its peers. It says whether the directory knew.
func (m *Member) identify(ctx context.Context) (id identity, known bool, err error) {
	// A member that comes back: the flags of its first start are no longer
	// asked.
	if id, known, err = loadIdentity(m.cfg.DataDir); err != nil || known {
		return id, known, err
	}
	if m.cfg.Existing {
		id, err = m.findOneself(ctx)
		return id, false, err
	}
	id, err = m.initial(ctx)
	return id, false, err
}

// initial gives the identity and first configuration of a new static member,
// unless its peers know that it is not new.
func (m *Member) initial(ctx context.Context) (id identity, err error) {
	id.Member = memberID(m.cfg.PeerURL, m.cfg.Token)
	var ids []uint64
	for _, i := range m.cfg.Initial {
		addr, err := hostPort(i.PeerURL)
		if err != nil {
			return id, err
		}
		voter := memberID(i.PeerURL, m.cfg.Token)
		ids = append(ids, voter)
		id.Voters = append(id.Voters, replica.Peer{ID: voter, Addr: addr})
	}
	if !slices.Contains(ids, id.Member) {
		return id, fmt.Errorf("start: --initial-cluster: %s, this member's peer URL, is not listed; list every member", m.cfg.PeerURL)
	}
	id.Cluster = clusterID(ids)
	return id, m.mayBeNew(ctx, id.Member, id.Voters)
}

// bootstrapped refuses a member that has no log, although the one at addr
// knows that it had: under its old id it could vote a second time in a term.
func (m *Member) bootstrapped(id uint64, addr string) error {
	return fmt.Errorf("start: %s: member %016x has no log here, but %s knows it: %w; run 'holdfast member remove %016x', then add it again",
		m.cfg.DataDir, id, addr, ErrBootstrapped, id)
}

// mayBeNew asks the peers whether this member has run before. A peer that is
// up to date decides. One that holds a log which it cannot read before there is
// a leader is asked again, and if that lasts the start is refused: it may know.
// Where nobody answers, the member is new: at a cluster's first start that is
// the rule.
func (m *Member) mayBeNew(ctx context.Context, id uint64, peers []replica.Peer) error {
	deadline := time.Now().Add(m.cfg.AskFor)
	for {
		unsure := ""
		for _, p := range peers {
			if p.ID == id {
				continue
			}
			asking, cancel := context.WithTimeout(ctx, askTimeout)
			t, err := replica.Ask(asking, m.cfg.Network, p.Addr)
			cancel()
			if err != nil {
				continue
			}
			i := slices.IndexFunc(t.Members, func(k kernel.Member) bool { return k.ID == id })
			switch {
			case i >= 0 && len(t.Members[i].ClientURLs) > 0:
				return m.bootstrapped(id, p.Addr)
			case t.Standing == replica.Current:
				return nil
			case t.Standing == replica.Behind:
				unsure = p.Addr
			}
		}
		if unsure == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("start: %s: member %016x has no log here, and %s cannot tell whether it had one: %w; start the other members first, then this one",
				m.cfg.DataDir, id, unsure, ErrUnsure)
		}
		pause(ctx, publishAgain)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("start: ask the peers: %w", err)
		}
	}
}

// findOneself asks the other members under which id they expect this one.
func (m *Member) findOneself(ctx context.Context) (identity, error) {
	var heard []string
	for _, i := range m.cfg.Initial {
		addr, err := hostPort(i.PeerURL)
		if err != nil {
			return identity{}, err
		}
		if i.PeerURL == m.cfg.PeerURL {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, askTimeout)
		t, err := replica.Ask(asking, m.cfg.Network, addr)
		cancel()
		if err != nil {
			heard = append(heard, err.Error())
			continue
		}
		for _, k := range t.Members {
			if !slices.Contains(k.PeerURLs, m.cfg.PeerURL) {
				continue
			}
			if len(k.ClientURLs) > 0 {
				return identity{}, m.bootstrapped(k.ID, addr)
			}
			return identity{Member: k.ID, Cluster: t.ClusterID}, nil
		}
		heard = append(heard, fmt.Sprintf("%s does not know %s", addr, m.cfg.PeerURL))
	}
	if len(heard) == 0 {
		heard = []string{"--initial-cluster names no other member to ask"}
	}
	return identity{}, fmt.Errorf("start: --initial-cluster-state existing: %w: %s; add it first, with the peer URL it advertises",
		ErrNotMember, strings.Join(heard, ", "))
}

// ID is this member's id.
func (m *Member) ID() uint64 { return m.id }

// Replica is the member's replica.
func (m *Member) Replica() *replica.Replica { return m.replica }

// Close stops the member without leaving the cluster.
func (m *Member) Close() error {
	m.stop()
	err := m.replica.Close()
	m.wg.Wait()
	return errors.Join(err, m.mux.Close(), m.lock.Close())
}
