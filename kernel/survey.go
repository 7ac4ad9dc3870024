package kernel

import (
	"fmt"
	"io"
	"math/bits"
)

// sampledFirst nodes, and then each sampledEach-th, are what Measure samples.
const (
	sampledFirst = 256
	sampledEach  = 64
)

// Measure gives the number of bytes that WriteTo writes, in a fraction of its
// time: it reads no values. Samples of the nodes in their wire form, from all over
// the tree, go to sample, which must not keep them.
func (sn *Snapshot) Measure(sample func(record []byte)) int64 {
	out := &blockMeter{n: int64(len(snapshotMagic) + 1)}
	nodes := 0
	var b []byte
	sn.records(out.record, func(n *Node) bool {
		if nodes < sampledFirst || nodes%sampledEach == 0 {
			b = appendNode(append(b[:0], recordNode), n)
			sample(b)
		}
		nodes++
		out.add(1 + nodeBytes(n))
		return true
	})
	return out.n
}

// nodeBytes is the length of what appendNode appends.
func nodeBytes(n *Node) int {
	size := 1 + uvarintBytes(uint64(len(n.Path))) + len(n.Path) + uvarintBytes(uint64(len(n.Value))) + len(n.Value) +
		uvarintBytes(uint64(n.Created)) + uvarintBytes(uint64(n.Modified))
	if n.Deadline != 0 {
		size += uvarintBytes(uint64(n.Deadline))
	}
	return size
}

// uvarintBytes is the length of what binary.AppendUvarint appends.
func uvarintBytes(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// Survey says what a snapshot holds.
type Survey struct {
	// Applied is the log index that it covers, Index the store index then.
	Applied LogIndex
	Index   StoreIndex
	// Members, Removed (members), Dirs, Keys and Events are the records of each
	// kind; WithTTL are those of Dirs and Keys that have a time to live.
	Members, Removed, Dirs, Keys, WithTTL, Events Tally
}

// Tally counts records, and their bytes without the lengths before them.
type Tally struct{ Count, Bytes uint64 }

func (t *Tally) add(rec []byte) {
	t.Count++
	t.Bytes += uint64(len(rec))
}

// SurveySnapshot reads a snapshot to its end and says what it holds. It keeps
// none of it: its memory is that of one block and the table of members, whatever
// the size of the snapshot. Its errors are those of Restore, and it finds all
// damage that Restore finds but a node without its directory.
func SurveySnapshot(r io.Reader) (*Survey, error) {
	l := loader{s: New(), survey: new(Survey)}
	if err := l.read(r); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	l.survey.Applied, l.survey.Index = l.s.applied, l.s.index
	return l.survey, nil
}

// add counts a record that has been checked.
func (s *Survey) add(stage int, rec []byte) {
	switch stage {
	case stageMember:
		s.Members.add(rec)
	case stageRemoved:
		s.Removed.add(rec)
	case stageEvent:
		s.Events.add(rec)
	case stageNode:
		if rec[1]&nodeDir != 0 {
			s.Dirs.add(rec)
		} else {
			s.Keys.add(rec)
		}
		if rec[1]&nodeDeadline != 0 {
			s.WithTTL.add(rec)
		}
	}
}
