package replica

import (
	"context"
	"encoding/binary"
	"fmt"

	"holdfast/kernel"
	"holdfast/transport"
)

// Standing says how far what a member tells of its cluster can be trusted.
type Standing byte

const (
	// Blank: its log holds nothing but the first configuration; no leader was
	// ever heard of.
	Blank Standing = 'b'
	// Behind: its log holds more than it has applied, and it knows of no
	// leader that would tell it what is committed.
	Behind Standing = 'h'
	// Current: it has applied what it had before it started, and an entry of
	// the present leader's term.
	Current Standing = 'c'
)

// Table is what a member answers a newcomer that asks who it is.
type Table struct {
	ClusterID uint64
	Standing  Standing
	Members   []kernel.Member
}

// table gives this member's own.
func (r *Replica) table() Table {
	t := Table{ClusterID: r.cfg.ClusterID, Standing: Behind}
	n := r.node()
	last, err := r.log.LastIndex()
	_, leader := n.LeaderWithID()
	switch {
	case leader != "" && r.caughtUp() && r.state.term.Load() == n.CurrentTerm():
		t.Standing = Current
	case err == nil && last <= 1 && r.lastSnapshot() == 0:
		t.Standing = Blank
	}
	t.Members = r.state.look().Members
	return t
}

func (t Table) append(b []byte) []byte {
	b = append(binary.BigEndian.AppendUint64(b, t.ClusterID), byte(t.Standing))
	for i := range t.Members {
		b = kernel.AppendMember(b, &t.Members[i])
	}
	return b
}

func decodeTable(b []byte) (Table, error) {
	if len(b) < 9 {
		return Table{}, fmt.Errorf("%w: table cut short", errFrame)
	}
	t := Table{ClusterID: binary.BigEndian.Uint64(b), Standing: Standing(b[8])}
	if t.Standing != Blank && t.Standing != Behind && t.Standing != Current {
		return Table{}, fmt.Errorf("%w: standing %q", errFrame, b[8])
	}
	var err error
	if t.Members, err = kernel.DecodeMembers(b[9:]); err != nil {
		return Table{}, fmt.Errorf("%w: %w", errFrame, err)
	}
	return t, nil
}

// Ask asks the member whose peer port is at addr what it knows of its cluster.
func Ask(ctx context.Context, nw transport.Network, addr string) (Table, error) {
	nc, err := transport.DialProto(ctx, nw, addr, transport.ProtoForward)
	if err != nil {
		return Table{}, fmt.Errorf("ask %s: %w", addr, err)
	}
	c := newForwardConn(nc, new(meters))
	defer func() {
		c.fail(ErrStopped)
		<-c.gone
	}()
	got, err := c.ask(ctx, frameMembers, nil)
	if err == nil && got.kind != frameTable {
		err = fmt.Errorf("answer of kind %d: %w", got.kind, errFrame)
	}
	if err != nil {
		return Table{}, fmt.Errorf("ask %s: %w", addr, err)
	}
	t, err := decodeTable(got.body)
	if err != nil {
		return Table{}, fmt.Errorf("ask %s: %w", addr, err)
	}
	return t, nil
}
