package sim

import (
	"holdfast/jepsen"
)

// MaxMessages bounds the messages that a recording keeps; those beyond are counted only.
const MaxMessages = 1 << 20

// Recording is what happened in a run, for whoever wants to tell it or to draw it (see package sim/story). An empty one in the
// Options is filled while the run goes on. It only looks on: the run is the same without it. All times are virtual nanoseconds.
type Recording struct {
	// Members are the machines by name, in the order of their indices.
	Members []string
	// Acts are the lines of the timeline, in order.
	Acts []Act
	// Faults are those that came up, in order, as they really struck and ended.
	Faults []Struck
	// Messages is what members sent to each other, in the order of sending; MessagesLeftOut counts those beyond MaxMessages.
	Messages        []Message
	MessagesLeftOut int
	// History is every operation that the clients noted; Run is all that the checkers went by, nil if they were not asked.
	History jepsen.History
	Run     *jepsen.Run

	heard []heard // by member
}

// Act is a line of the timeline: who, what, and in which way.
type Act struct {
	At                int64
	Who, What, Detail string
}

// Struck is a fault as it came up.
type Struck struct {
	Fault // with whom it went for, and when
	// Detail tells what it did, as the timeline has it; empty: nothing could come of it.
	Detail string
	// Hits are the moments at which it took effect: at once, or, of a fault that waits for something, when that came. A fault
	// without any did not count.
	Hits []int64
	// End is when it was taken back; 0 if it does not last, or nobody took it back.
	End int64
}

// Message is a piece of a stream from one member to another, as it was sent.
type Message struct {
	From, To int // members, by index
	Sent     int64
	Due      int64 // when it would have arrived if nothing had come in its way
	Arrived  int64 // 0: never
	Bytes    int
	Again    bool // it was lost on the way at first, and sent again
	// Says is what it begins with; the zero value: nothing, it goes on with what an earlier one began.
	Says Frame
}

// heard is what a member has told others, or was told by them, of its log: all that a host can know of it between two commits.
type heard struct {
	Commit  uint64 // the highest commit index that it knows of
	LastLog uint64 // the last index that its log was said to have, by itself or, if it leads, by what it sends
	Term    uint64 // the highest term in what it sent
	At      int64  // when it last sent or was sent any of that
}

// The methods below are called by the world as things happen; a nil recording keeps nothing.

func (r *Recording) begin(members []*machine) {
	if r == nil {
		return
	}
	*r = Recording{}
	for _, m := range members {
		r.Members = append(r.Members, m.name)
	}
	r.heard = make([]heard, len(members))
}

func (r *Recording) act(at int64, who, what, detail string) {
	if r != nil {
		r.Acts = append(r.Acts, Act{at, who, what, detail})
	}
}

// struck notes a fault that has come up; without a detail nothing came of it.
func (r *Recording) struck(f Fault, detail string) {
	if r != nil {
		r.Faults = append(r.Faults, Struck{Fault: f, Detail: detail})
	}
}

// hit notes that a fault took effect. The latest of its number is meant.
func (r *Recording) hit(id int, at int64) {
	if s := r.fault(id); s != nil {
		s.Hits = append(s.Hits, at)
	}
}

// mended notes that a fault that lasts was taken back.
func (r *Recording) mended(id int, at int64) {
	if s := r.fault(id); s != nil {
		s.End = at
	}
}

func (r *Recording) fault(id int) *Struck {
	if r == nil {
		return nil
	}
	for i := len(r.Faults) - 1; i >= 0; i-- {
		if r.Faults[i].ID == id {
			return &r.Faults[i]
		}
	}
	return nil
}

func (r *Recording) history(h jepsen.History) {
	if r != nil {
		r.History = h
	}
}

func (r *Recording) evidence(run *jepsen.Run) {
	if r != nil {
		r.Run = run
	}
}

// sent notes a message and gives its number, 0 if it is not kept.
func (r *Recording) sent(to *socket, seg *segment, at int64) int {
	if r == nil || seg.kind != segData {
		return 0
	}
	from := to.peer.m.index
	if from == to.m.index || max(from, to.m.index) >= len(r.Members) {
		return 0 // clients' talk is in the history
	}
	says := to.in.read(to, seg.data)
	r.heard[from].sent(&says, at)
	if len(r.Messages) == MaxMessages {
		r.MessagesLeftOut++
		return 0
	}
	r.Messages = append(r.Messages, Message{
		From: from, To: to.m.index, Sent: at, Due: seg.at, Bytes: len(seg.data), Again: seg.lost, Says: says,
	})
	return len(r.Messages)
}

func (r *Recording) arrived(number int, at int64) {
	if r == nil || number == 0 {
		return
	}
	m := &r.Messages[number-1]
	m.Arrived = at
	r.heard[m.To].received(&m.Says, at)
}

// sent takes note of what a member says of itself.
func (h *heard) sent(f *Frame, at int64) {
	switch f.Kind {
	case FrameAppend: // of a leader: it has what it sends
		h.LastLog, h.Commit = max(h.LastLog, f.Index+f.Entries), max(h.Commit, f.Commit)
	case FrameAppended, FrameVote, FramePreVote:
		h.LastLog = f.Index
	default:
		return
	}
	h.Term, h.At = max(h.Term, f.Term), at
}

// received takes note of what a member is told about itself.
func (h *heard) received(f *Frame, at int64) {
	if f.Kind == FrameAppend {
		h.Commit, h.At = max(h.Commit, f.Commit), at
	}
}
