package cluster

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"holdfast/kernel"
	"holdfast/kernel/replica"
)

// publishAgain is the pause between two looks at what is still to publish.
const publishAgain = 20 * time.Millisecond

// publish brings into the log what the cluster must know before it serves:
// the leader adds the members of the first configuration and, last, sets the
// cluster version; every member publishes its name and client URLs. On a fresh
// single member these are three commands, as in etcd, and a client's first
// write gets index 4.
func (m *Member) publish(ctx context.Context) {
	defer m.wg.Done()
	for ctx.Err() == nil {
		next := m.unpublished()
		if next == nil {
			if m.published() {
				return
			}
			pause(ctx, publishAgain)
			continue
		}
		if err := m.propose(ctx, next); err != nil && ctx.Err() == nil {
			pause(ctx, publishAgain)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (m *Member) propose(ctx context.Context, c *kernel.Command) error {
	command, err := kernel.AppendCommand(nil, c)
	if err != nil {
		m.logf("publish: %v", err)
		return err
	}
	answer, err := m.replica.ProposeSetup(ctx, command)
	if err == nil && answer.Err != nil && answer.Err.Code != kernel.CodeMemberExists {
		m.logf("publish: %v", answer.Err)
		return answer.Err
	}
	return err
}

// unpublished gives the next command that this member should propose; nil if
// there is none now.
func (m *Member) unpublished() *kernel.Command {
	known, version, settings := m.replica.Cluster()
	leads := m.replica.Status().LeaderID == m.id
	if leads {
		for _, v := range m.replica.Voters() {
			if !slices.ContainsFunc(known, func(k kernel.Member) bool { return k.ID == v.ID }) {
				return &kernel.Command{Op: kernel.OpMemberAdd, Member: kernel.Member{ID: v.ID, PeerURLs: []string{m.peerURL(v)}}}
			}
		}
	}
	i := slices.IndexFunc(known, func(k kernel.Member) bool { return k.ID == m.id })
	if i < 0 {
		return nil
	}
	if known[i].Name != m.cfg.Name || !slices.Equal(known[i].ClientURLs, m.cfg.ClientURLs) {
		return &kernel.Command{Op: kernel.OpMemberAttributes, Member: kernel.Member{ID: m.id, Name: m.cfg.Name, ClientURLs: m.cfg.ClientURLs}}
	}
	if !leads || version != "" {
		return nil
	}
	if n := m.cfg.HistoryEvents; n != 0 && n != settings.HistoryEvents {
		return &kernel.Command{Op: kernel.OpSetting, Path: kernel.SettingHistoryEvents, Value: strconv.Itoa(n)}
	}
	return &kernel.Command{Op: kernel.OpClusterVersion, Value: apiVersion}
}

// published tells whether nothing is left to publish for this member.
func (m *Member) published() bool {
	known, version, settings := m.replica.Cluster()
	i := slices.IndexFunc(known, func(k kernel.Member) bool { return k.ID == m.id })
	if version == "" || i < 0 || known[i].Name != m.cfg.Name || !slices.Equal(known[i].ClientURLs, m.cfg.ClientURLs) {
		return false
	}
	if n := m.cfg.HistoryEvents; n != 0 && n != settings.HistoryEvents {
		m.logf("settings: --history-events %d is not in force: the cluster has %d; a flag only seeds it when the cluster is made", n, settings.HistoryEvents)
	}
	return true
}

// peerURL is where a voter of the first configuration is reached.
func (m *Member) peerURL(p replica.Peer) string {
	for _, i := range m.cfg.Initial {
		if memberID(i.PeerURL, m.cfg.Token) == p.ID {
			return i.PeerURL
		}
	}
	return "http://" + p.Addr
}

func (m *Member) logf(format string, args ...any) {
	w := m.cfg.Log
	if w == nil {
		w = io.Discard
	}
	fmt.Fprintf(w, format+"\n", args...)
}
