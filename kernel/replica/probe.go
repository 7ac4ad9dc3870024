package replica

// Probe names a rare state that a member got into. An Observer is told of each;
// whoever hunts faults wants to know which of them were never reached.
type Probe string

// The probes of a member.
const (
	// ProbeDeposedWriting: a leader lost its leadership with writes under way,
	// whose outcome is unknown from then on.
	ProbeDeposedWriting Probe = "deposed leader with writes in flight"
	// ProbeReadAcrossElection: a round for reads was begun in a term, and that
	// was over when the round ended.
	ProbeReadAcrossElection Probe = "read round across an election"
	// ProbeRebuild: an install left raft with a belief in entries that are
	// gone, and it was built anew.
	ProbeRebuild Probe = "rebuild after an install below the cached index"
	// ProbeVoteAfterTorn: a vote was given by a member that had found at its
	// start the torn remains of a record of term and vote.
	ProbeVoteAfterTorn Probe = "vote after a torn stable record"
	// ProbeNoWatermark: the log was opened with entries and without a usable
	// hint of how far it was durable.
	ProbeNoWatermark Probe = "hint without watermark"
	// ProbeForwardBroken: the connection on which a write was forwarded broke
	// before its answer came.
	ProbeForwardBroken Probe = "forwarded write whose connection broke"
	// ProbeTailAtOpening: a leader opened its clock session behind entries that
	// nobody had committed yet.
	ProbeTailAtOpening Probe = "session opened with an uncommitted tail"
	// ProbeBytesBesideBatch: a snapshot became due by bytes while a batch was
	// under way.
	ProbeBytesBesideBatch Probe = "snapshot by bytes during a batch"
)

// Probes lists the probes of a member.
func Probes() []Probe {
	return []Probe{
		ProbeDeposedWriting, ProbeReadAcrossElection, ProbeRebuild, ProbeVoteAfterTorn, ProbeNoWatermark, ProbeForwardBroken,
		ProbeTailAtOpening, ProbeBytesBesideBatch,
	}
}

func (r *Replica) reached(p Probe) {
	if o := r.cfg.Observer; o != nil {
		o.Reached(p)
	}
}
