package note

// Kind says what a note is.
type Kind int32

// The kinds of notes. The host knows them by number.
const (
	// Role is a change of a member's role in raft: "leader 3", a role and a term.
	Role Kind = 1
	// History is one or more whole lines of the clients' history.
	History Kind = 2
	// Commit is an entry that a member applied, see [AppendApplied].
	Commit Kind = 3
	// Vote is a vote: "3 10.0.0.1:2380 given" or "... read-back".
	Vote Kind = 4
	// Probe is a rare state that a member got into, by its name.
	Probe Kind = 5
)
