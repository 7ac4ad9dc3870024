package replica

import (
	"strings"

	"holdfast/kernel"
)

// Status tells what this member knows of itself and its cluster.
func (r *Replica) Status() Status {
	n := r.node()
	_, leader := n.LeaderWithID()
	r.leader.mu.Lock()
	since := r.leader.since
	r.leader.mu.Unlock()
	s := Status{
		ID: r.cfg.ID, ClusterID: r.cfg.ClusterID, Name: r.cfg.Name, LeaderID: memberID(leader),
		State: strings.ToLower(n.State().String()), Term: n.CurrentTerm(),
		Applied: kernel.LogIndex(r.state.applied.Load()), Commit: kernel.LogIndex(n.CommitIndex()),
		Started: r.started, Ready: r.ready() == nil,
	}
	if leader != "" {
		s.LeaderSince = since
	}
	return s
}

// Voters gives the members that vote, by the latest configuration.
func (r *Replica) Voters() []Peer {
	var list []Peer
	for _, s := range r.node().GetConfiguration().Configuration().Servers {
		list = append(list, Peer{ID: memberID(s.ID), Addr: string(s.Address)})
	}
	return list
}

// Cluster gives what this member has applied of the cluster's own state, ready
// to serve or not.
func (r *Replica) Cluster() (members []kernel.Member, version string, settings kernel.Settings) {
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	k := r.state.kernel
	return k.Members(), k.ClusterVersion(), k.Settings()
}
