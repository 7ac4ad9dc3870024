package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
)

// A snapshot is a header and blocks, each with its length and CRC-32C. A block
// holds as many records as fit into snapshotBlockBytes, or a single larger
// one. The records are, in this order: the state's own figures, the members by
// id, the removed members in the order of their removal, the nodes by path,
// the events of the ring by index, and an end with the counts. Its bytes
// depend on the state only. docs/format-kernel.md shows it byte by byte.
const (
	snapshotMagic      = "HOLDFAST"
	snapshotVersion    = 1
	snapshotBlockBytes = 64 << 10
	// firstBlockBytes is what a block has room for at first: many a snapshot is no larger.
	firstBlockBytes = 4 << 10
	// maxRecordBytes bounds one record: an event with two nodes.
	maxRecordBytes = 2*(MaxPathBytes+MaxValueBytes) + 512
	maxBlockBytes  = maxRecordBytes + binary.MaxVarintLen32
)

const (
	recordState   = 'S'
	recordMember  = 'M'
	recordRemoved = 'R'
	recordNode    = 'N'
	recordEvent   = 'E'
	recordEnd     = 'Z'
)

// Snapshot is a state at one moment, ready to be written out while the state
// goes on.
type Snapshot struct {
	tree     tree
	events   []*Event
	members  []Member
	removed  []uint64
	head     []byte // the state record
	applied  LogIndex
	index    StoreIndex
	settings Settings
}

// Snapshot copies the state in O(1) plus the length of the ring.
func (s *State) Snapshot() *Snapshot {
	return &Snapshot{
		tree: s.tree.copy(), events: s.ring.list(), members: s.members, removed: s.removed,
		head: s.appendHead(nil), applied: s.applied, index: s.index, settings: s.settings,
	}
}

// Applied is the log index that the snapshot covers.
func (sn *Snapshot) Applied() LogIndex { return sn.applied }

// Index is the store index at that moment.
func (sn *Snapshot) Index() StoreIndex { return sn.index }

func (s *State) appendHead(b []byte) []byte {
	b = append(b, recordState)
	b = binary.AppendUvarint(b, uint64(s.applied))
	b = binary.AppendUvarint(b, uint64(s.index))
	b = binary.BigEndian.AppendUint64(b, s.history)
	b = appendSession(b, s.clock.session)
	b = binary.AppendUvarint(b, uint64(s.clock.now))
	b = binary.AppendUvarint(b, uint64(s.clock.base))
	b = binary.AppendVarint(b, s.clock.wall)
	b = binary.AppendUvarint(b, uint64(s.settings.HistoryEvents))
	b = binary.AppendUvarint(b, s.lastUID)
	return appendString(b, s.version)
}

// WriteTo writes the snapshot to w, block by block: it holds one block in
// memory, whatever the size of the state. It is safe beside the state's own
// life, and gives the bytes written and, wrapped, the first error of w.
func (sn *Snapshot) WriteTo(w io.Writer) (int64, error) {
	out := &blockWriter{w: w, buf: make([]byte, 0, firstBlockBytes)}
	out.raw(append([]byte(snapshotMagic), snapshotVersion))
	var b []byte
	sn.records(out.record, func(n *Node) bool {
		b = appendNode(append(b[:0], recordNode), n)
		out.record(b)
		return out.err == nil
	})
	out.flush()
	if out.err != nil {
		return out.n, fmt.Errorf("write snapshot: %w", out.err)
	}
	return out.n, nil
}

// records hands over all records in their order, the nodes as they are, until
// node says no.
func (sn *Snapshot) records(record func([]byte), node func(*Node) bool) {
	record(sn.head)
	for i := range sn.members {
		record(AppendMember([]byte{recordMember}, &sn.members[i]))
	}
	var b []byte
	for _, id := range sn.removed {
		b = binary.BigEndian.AppendUint64(append(b[:0], recordRemoved), id)
		record(b)
	}
	nodes := uint64(0)
	sn.tree.nodes.Scan(func(_ string, n *Node) bool {
		nodes++
		return node(n)
	})
	for _, e := range sn.events {
		b = AppendEvent(append(b[:0], recordEvent), e)
		record(b)
	}
	b = append(b[:0], recordEnd)
	b = binary.AppendUvarint(b, uint64(len(sn.members)))
	b = binary.AppendUvarint(b, uint64(len(sn.removed)))
	b = binary.AppendUvarint(b, nodes)
	b = binary.AppendUvarint(b, uint64(len(sn.events)))
	record(b)
}

// StateHash digests what clients can see, in its canonical form, and nothing
// else: nodes and settings, but neither log nor ring nor members. Two clusters
// of which one was restored from the other have the same.
func (sn *Snapshot) StateHash() string {
	h := sha256.New()
	b := binary.AppendUvarint(nil, uint64(sn.settings.HistoryEvents))
	h.Write(b)
	sn.tree.nodes.Scan(func(_ string, n *Node) bool {
		b = appendNode(b[:0], n)
		h.Write(b)
		return true
	})
	return hex.EncodeToString(h.Sum(nil))
}

const (
	nodeDir = 1 << iota
	nodeDeadline
	nodeFlagsEnd
)

func appendNode(b []byte, n *Node) []byte {
	flags := byte(0)
	if n.Dir {
		flags |= nodeDir
	}
	if n.Deadline != 0 {
		flags |= nodeDeadline
	}
	b = append(b, flags)
	b = appendString(b, n.Path)
	b = appendString(b, n.Value)
	b = binary.AppendUvarint(b, uint64(n.Created))
	b = binary.AppendUvarint(b, uint64(n.Modified))
	if n.Deadline != 0 {
		b = binary.AppendUvarint(b, uint64(n.Deadline))
	}
	return b
}

const (
	eventNode = 1 << iota
	eventPrev
	eventRefresh
	eventFlagsEnd
)

// AppendEvent appends the wire form of an event, which snapshots and the
// answers to forwarded writes share.
func AppendEvent(b []byte, e *Event) []byte {
	flags := byte(0)
	if e.Node != nil {
		flags |= eventNode
	}
	if e.Prev != nil {
		flags |= eventPrev
	}
	if e.Refresh {
		flags |= eventRefresh
	}
	b = append(b, byte(e.Action), flags)
	b = binary.AppendUvarint(b, uint64(e.Index))
	b = binary.AppendUvarint(b, uint64(e.Clock.Now))
	b = binary.AppendVarint(b, e.Clock.WallOffset)
	if e.Node != nil {
		b = appendNode(b, e.Node)
	}
	if e.Prev != nil {
		b = appendNode(b, e.Prev)
	}
	return b
}
