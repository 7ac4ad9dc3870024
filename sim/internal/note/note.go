package note

// Kind says what a note is.
type Kind int32

// The kinds of notes. The host knows them by number.
const (
	// State is a change of state for the timeline, such as "leader term=3".
	State Kind = 1
	// History is one or more whole lines of the clients' history.
	History Kind = 2
)
