//lint:file-ignore SA1019 raft v1.8.0 itself still sends and reads the fields Leader and Candidate.

package raftrpc

import (
	"encoding/binary"
	"time"

	"github.com/hashicorp/raft"
)

// entryOverhead is the most bytes an entry takes besides its data and
// extensions: seven varints and two bytes.
const entryOverhead = 7*binary.MaxVarintLen64 + 2

// minEntryBytes is the least an entry takes, which bounds how many of them a
// payload can hold.
const minEntryBytes = 6

func entrySize(l *raft.Log) int { return len(l.Data) + len(l.Extensions) + entryOverhead }

// fitEntries returns how many of the entries belong in one request: the first,
// and as many more as stay within the soft limit.
func fitEntries(entries []*raft.Log) int {
	total := 0
	for i, l := range entries {
		total += entrySize(l)
		if i > 0 && (total > appendSoftBytes || i == maxEntries) {
			return i
		}
	}
	return len(entries)
}

func appendAppendRequest(b []byte, e envelope, r *raft.AppendEntriesRequest) []byte {
	b = appendHeader(e.append(b), r.RPCHeader)
	b = binary.AppendUvarint(b, r.Term)
	b = appendBytes(b, r.Leader)
	b = binary.AppendUvarint(b, r.PrevLogEntry)
	b = binary.AppendUvarint(b, r.PrevLogTerm)
	b = binary.AppendUvarint(b, r.LeaderCommitIndex)
	b = binary.AppendUvarint(b, uint64(len(r.Entries)))
	for _, l := range r.Entries {
		b = appendEntry(b, l)
	}
	return b
}

func appendEntry(b []byte, l *raft.Log) []byte {
	b = binary.AppendUvarint(b, l.Index)
	b = binary.AppendUvarint(b, l.Term)
	b = append(b, byte(l.Type))
	if l.AppendedAt.IsZero() {
		b = append(b, 0)
	} else {
		b = binary.AppendVarint(append(b, 1), l.AppendedAt.Unix())
		b = binary.AppendUvarint(b, uint64(l.AppendedAt.Nanosecond()))
	}
	b = appendBytes(b, l.Extensions)
	return appendBytes(b, l.Data)
}

// decodeAppendRequest returns a request whose bytes are the payload's: raft
// keeps entries, so the payload must not be used again.
func decodeAppendRequest(payload []byte) (envelope, *raft.AppendEntriesRequest, error) {
	d := &decoder{b: payload}
	e := d.envelope()
	r := &raft.AppendEntriesRequest{
		RPCHeader:         d.header(),
		Term:              d.uvarint("term"),
		Leader:            d.bytes("leader", maxNameBytes),
		PrevLogEntry:      d.uvarint("previous index"),
		PrevLogTerm:       d.uvarint("previous term"),
		LeaderCommitIndex: d.uvarint("commit index"),
	}
	r.Entries = d.entries(r)
	if err := d.done(); err != nil {
		return envelope{}, nil, err
	}
	return e, r, nil
}

// entries decodes and checks the entries of r. A leader's entries follow its
// previous index without a gap, in terms that never fall nor exceed its own.
// raft takes that for granted, and stores, or panics on, whatever it is given.
func (d *decoder) entries(r *raft.AppendEntriesRequest) []*raft.Log {
	n := d.uvarint("entries")
	if n > maxEntries || n > uint64(len(d.b)/minEntryBytes) {
		d.fail("%d entries in %d bytes", n, len(d.b))
	}
	if d.err != nil || n == 0 {
		return nil
	}
	logs := make([]raft.Log, n)
	entries := make([]*raft.Log, n)
	index, term := r.PrevLogEntry, r.PrevLogTerm
	for i := range logs {
		l := &logs[i]
		d.entry(l)
		switch {
		case d.err != nil:
			return nil
		case l.Index != index+1 || l.Index == 0:
			d.fail("entry %d follows entry %d", l.Index, index)
			return nil
		case l.Term < term || l.Term > r.Term:
			d.fail("entry %d: term %d after term %d, from a leader of term %d", l.Index, l.Term, term, r.Term)
			return nil
		}
		index, term = l.Index, l.Term
		entries[i] = l
	}
	return entries
}

func (d *decoder) entry(l *raft.Log) {
	l.Index = d.uvarint("entry's index")
	l.Term = d.uvarint("entry's term")
	l.Type = raft.LogType(d.byte("entry's type"))
	if d.bool("entry's time") {
		sec, nsec := d.varint("entry's seconds"), d.uvarint("entry's nanoseconds")
		if nsec >= uint64(time.Second) {
			d.fail("entry's nanoseconds: %d", nsec)
			return
		}
		l.AppendedAt = time.Unix(sec, int64(nsec)).UTC()
	}
	l.Extensions = d.bytes("entry's extensions", MaxEntryBytes)
	l.Data = d.bytes("entry's data", MaxEntryBytes)
	switch l.Type {
	case raft.LogCommand, raft.LogNoop, raft.LogBarrier:
	case raft.LogConfiguration:
		if d.err == nil {
			d.err = checkConfiguration(l.Data)
		}
	default: // raft panics when it commits one it does not know
		d.fail("entry %d: type %d", l.Index, l.Type)
	}
}

func appendAppendResponse(b []byte, r *raft.AppendEntriesResponse) []byte {
	b = appendHeader(b, r.RPCHeader)
	b = binary.AppendUvarint(b, r.Term)
	b = binary.AppendUvarint(b, r.LastLog)
	b = appendBool(b, r.Success)
	return appendBool(b, r.NoRetryBackoff)
}

func decodeAppendResponse(payload []byte, r *raft.AppendEntriesResponse) error {
	d := &decoder{b: payload}
	v := raft.AppendEntriesResponse{
		RPCHeader:      d.header(),
		Term:           d.uvarint("term"),
		LastLog:        d.uvarint("last index"),
		Success:        d.bool("success"),
		NoRetryBackoff: d.bool("no backoff"),
	}
	if err := d.done(); err != nil {
		return err
	}
	*r = v
	return nil
}
