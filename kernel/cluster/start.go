package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"holdfast/kernel"
	"holdfast/kernel/replica"
	"holdfast/transport"
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
	if len(cfg.Initial) == 0 {
		cfg.Initial = []Initial{{cfg.Name, cfg.PeerURL}}
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

func (m *Member) open(ctx context.Context) error {
	rc, err := m.identify(ctx)
	if err != nil {
		return err
	}
	ln, err := m.cfg.Network.Listen(m.cfg.ListenPeer)
	if err != nil {
		return fmt.Errorf("peer port: %w; stop what uses it, or choose another with --listen-peer-urls", err)
	}
	m.mux = transport.NewMux(ln)
	rc.Mux = m.mux
	if m.replica, err = replica.Open(rc); err != nil {
		return errors.Join(err, m.mux.Close())
	}
	return nil
}

// identify finds out who this member is: from its directory, from its flags,
// or from its peers.
func (m *Member) identify(ctx context.Context) (replica.Config, error) {
	rc := m.cfg.Replica
	rc.Name, rc.Network, rc.Fatal, rc.Log = m.cfg.Name, m.cfg.Network, m.cfg.Fatal, m.cfg.Log
	rc.Dir = filepath.Join(m.cfg.DataDir, raftDir)
	var err error
	if rc.Addr, err = hostPort(m.cfg.PeerURL); err != nil {
		return rc, err
	}
	known, ok, err := loadIdentity(m.cfg.DataDir)
	switch {
	case err != nil:
		return rc, err
	case ok:
		// A member that comes back: the flags of its first start are no
		// longer asked.
		rc.ID, rc.ClusterID = known.memberID, known.clusterID
	case m.cfg.Existing:
		if rc.ID, rc.ClusterID, err = m.findOneself(ctx); err != nil {
			return rc, err
		}
	default:
		if err := m.initial(ctx, &rc); err != nil {
			return rc, err
		}
	}
	m.id = rc.ID
	if !ok {
		err = saveIdentity(m.cfg.DataDir, rc.ID, rc.ClusterID)
	}
	return rc, err
}

// initial fills in the identity and first configuration of a new static
// member, unless its peers know that it is not new.
func (m *Member) initial(ctx context.Context, rc *replica.Config) error {
	rc.ID = memberID(m.cfg.PeerURL, m.cfg.Token)
	var ids []uint64
	for _, i := range m.cfg.Initial {
		addr, err := hostPort(i.PeerURL)
		if err != nil {
			return err
		}
		id := memberID(i.PeerURL, m.cfg.Token)
		ids = append(ids, id)
		rc.Voters = append(rc.Voters, replica.Peer{ID: id, Addr: addr})
	}
	rc.ClusterID = clusterID(ids)
	for _, p := range rc.Voters {
		if p.ID == rc.ID {
			continue
		}
		if known, ok := ask(ctx, m.cfg.Network, p.Addr, rc.ID); ok && len(known.ClientURLs) > 0 {
			return fmt.Errorf("start: %s: member %016x has no log here, but %s knows it: %w; run 'holdfast member remove %016x', then add it again",
				m.cfg.DataDir, rc.ID, p.Addr, ErrBootstrapped, rc.ID)
		}
	}
	return nil
}

// ask asks one peer whether it knows a member. A peer that cannot be reached
// knows nothing: at the first start of a cluster that is the rule.
func ask(ctx context.Context, nw transport.Network, addr string, id uint64) (kernel.Member, bool) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, members, err := replica.Ask(ctx, nw, addr)
	if err != nil {
		return kernel.Member{}, false
	}
	for _, k := range members {
		if k.ID == id {
			return k, true
		}
	}
	return kernel.Member{}, false
}

// findOneself asks the other members under which id they expect this one.
func (m *Member) findOneself(ctx context.Context) (id, cluster uint64, err error) {
	var failed error
	for _, i := range m.cfg.Initial {
		addr, err := hostPort(i.PeerURL)
		if err != nil {
			return 0, 0, err
		}
		if i.PeerURL == m.cfg.PeerURL {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, askTimeout)
		cluster, members, err := replica.Ask(asking, m.cfg.Network, addr)
		cancel()
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		for _, k := range members {
			if len(k.PeerURLs) == 0 || k.PeerURLs[0] != m.cfg.PeerURL {
				continue
			}
			if len(k.ClientURLs) > 0 {
				return 0, 0, fmt.Errorf("start: %s: member %016x has no log here, but %s knows it: %w; run 'holdfast member remove %016x', then add it again",
					m.cfg.DataDir, k.ID, addr, ErrBootstrapped, k.ID)
			}
			return k.ID, cluster, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s does not know %s", addr, m.cfg.PeerURL))
	}
	return 0, 0, fmt.Errorf("start: --initial-cluster-state existing: %w: %w; add it first, with the peer URL it advertises", ErrNotMember, failed)
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
