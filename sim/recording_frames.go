package sim

import (
	"encoding/binary"
	"slices"
)

// FrameKind says what a message between members is. docs/format-peer.md and package transport/raftrpc have the bytes.
type FrameKind string

// The kinds of messages that a recording tells apart.
const (
	FrameAppend      FrameKind = "AppendEntries"
	FrameAppended    FrameKind = "AppendEntries answer"
	FrameVote        FrameKind = "RequestVote"
	FrameVoted       FrameKind = "RequestVote answer"
	FramePreVote     FrameKind = "RequestPreVote"
	FramePreVoted    FrameKind = "RequestPreVote answer"
	FrameInstall     FrameKind = "InstallSnapshot"
	FrameInstalled   FrameKind = "InstallSnapshot answer"
	FrameChunk       FrameKind = "snapshot part"
	FrameTimeoutNow  FrameKind = "TimeoutNow"
	FrameTimeoutSeen FrameKind = "TimeoutNow answer"
	FrameRefused     FrameKind = "error answer"
	FramePropose     FrameKind = "forwarded write"
	FrameReadIndex   FrameKind = "read index"
	FrameTable       FrameKind = "table"
	FrameForwarded   FrameKind = "forwarding answer"
	FrameHello       FrameKind = "preamble"
	FrameUnknown     FrameKind = "unknown"
)

// Frame is what a recording reads of a message: its kind and, of raft's, the numbers that matter.
type Frame struct {
	Kind    FrameKind
	Term    uint64
	Index   uint64 // the index before the entries, the last one of a log or a snapshot
	Entries uint64 // of AppendEntries
	Commit  uint64 // of AppendEntries: the leader's
	OK      bool   // of an answer: success, or the vote is granted
	// More counts the frames that begin in the same message after this one.
	More int
}

// The layout that is read here; what differs is called FrameUnknown, and nothing but a picture depends on it.
const (
	helloBytes      = 8
	helloMagic      = "HFST"
	speaksRaft      = 1
	speaksForward   = 2
	raftHeadBytes   = 16
	forwardHead     = 13
	maxFrameBytes   = 64 << 20
	answerBit       = 0x80
	firstAnswerKind = 16 // of forwarding
)

// stream is how far a recording has read one direction of a connection between members.
type stream struct {
	speaks byte   // the protocol; 0: not known yet
	skip   int    // bytes of the present frame that are still to come
	head   []byte // of a frame, cut off
	lost   bool   // it made no sense
}

// read goes on with what is sent to an end, and tells what begins in it.
func (in *pipe) read(to *socket, data []byte) Frame {
	if in.words == nil {
		in.words = &stream{}
		if back := to.peer.in.words; back != nil {
			in.words.speaks = back.speaks
		}
	}
	s, first := in.words, Frame{}
	b := append(slices.Clip(s.head), data...)
	s.head = nil
	for len(b) > 0 && !s.lost {
		n := min(s.skip, len(b))
		if s.skip, b = s.skip-n, b[n:]; len(b) == 0 {
			break
		}
		f, size, ok := s.frame(b)
		if !ok {
			s.head = slices.Clone(b)
			break
		}
		if s.skip = size; first.Kind == "" || first.Kind == FrameHello {
			first = f
		} else {
			first.More++
		}
	}
	return first
}

// frame reads the frame that b begins with as far as it is there: what it is, and how long; false if its head is not whole.
func (s *stream) frame(b []byte) (f Frame, size int, ok bool) {
	need := map[byte]int{0: helloBytes, speaksRaft: raftHeadBytes, speaksForward: forwardHead}[s.speaks]
	if len(b) < need {
		return f, 0, false
	}
	switch s.speaks {
	case 0:
		if s.lost = string(b[:4]) != helloMagic || b[4] != speaksRaft && b[4] != speaksForward; s.lost {
			return Frame{Kind: FrameUnknown}, 0, true
		}
		s.speaks = b[4]
		return Frame{Kind: FrameHello}, helloBytes, true
	case speaksRaft:
		size = int(binary.LittleEndian.Uint32(b[8:])) + raftHeadBytes
		f = raftFrame(b[1], b[raftHeadBytes:min(size, len(b))])
	default:
		size = int(binary.BigEndian.Uint32(b)) + 4
		f.Kind = forwardKind(b[4])
	}
	s.lost = size > maxFrameBytes
	return f, size, true
}

func forwardKind(k byte) FrameKind {
	switch {
	case k == 1:
		return FramePropose
	case k == 2:
		return FrameReadIndex
	case k == 3:
		return FrameTable
	case k >= firstAnswerKind:
		return FrameForwarded
	}
	return FrameUnknown
}

var raftKinds = map[byte]FrameKind{ // read by key only
	1: FrameAppend, 2: FrameVote, 3: FramePreVote, 4: FrameInstall, 5: FrameTimeoutNow, 6: FrameChunk, answerBit: FrameRefused,
	answerBit | 1: FrameAppended, answerBit | 2: FrameVoted, answerBit | 3: FramePreVoted, answerBit | 4: FrameInstalled,
	answerBit | 5: FrameTimeoutSeen,
}

// raftFrame reads the numbers of a payload as far as it is there.
func raftFrame(k byte, payload []byte) Frame {
	f, p := Frame{Kind: raftKinds[k]}, payloadReader{payload}
	switch {
	case f.Kind == "":
		return Frame{Kind: FrameUnknown}
	case k == 6 || k == answerBit:
		return f
	case k&answerBit == 0:
		p.text() // whom it is meant for
		p.number()
	}
	p.number() // raft's header
	p.text()
	p.text()
	switch f.Kind {
	case FrameInstall:
		p.number()
		f.Term = p.number()
		p.text()
		f.Index = p.number()
	case FrameAppend:
		f.Term = p.number()
		p.text()
		f.Index = p.number()
		p.number()
		f.Commit, f.Entries = p.number(), p.number()
	case FrameAppended:
		f.Term, f.Index = p.number(), p.number()
		f.OK = p.flag()
	case FrameVote:
		f.Term = p.number()
		p.text()
		f.Index = p.number()
	case FrameVoted:
		f.Term = p.number()
		p.text()
		f.OK = p.flag()
	case FramePreVote:
		f.Term, f.Index = p.number(), p.number()
	case FramePreVoted, FrameInstalled:
		f.Term = p.number()
		f.OK = p.flag()
	}
	return f
}

// payloadReader walks a payload; beyond its end all is zero.
type payloadReader struct{ b []byte }

func (p *payloadReader) number() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.b = nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *payloadReader) text() {
	n := p.number()
	p.b = p.b[min(n, uint64(len(p.b))):]
}

func (p *payloadReader) flag() bool {
	if len(p.b) == 0 {
		return false
	}
	v := p.b[0]
	p.b = p.b[1:]
	return v != 0
}
