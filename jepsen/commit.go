package jepsen

// Commit is one log entry, or one jump of the state, as one member applied it.
// The committed log resolves what clients do not know: whether a write whose
// answer was lost took place.
type Commit struct {
	Member string `json:"member"`
	// Life counts the processes of the member, from 1.
	Life int `json:"life"`
	// At is the true time of it, on the clock of the history.
	At       int64  `json:"at"`
	LogIndex uint64 `json:"log_index"`
	Term     uint64 `json:"term"`
	// Hash is the member's history hash after it, StoreIndex its X-Etcd-Index.
	Hash       uint64 `json:"hash"`
	StoreIndex uint64 `json:"store_index"`
	// Now is cluster time after it, in nanoseconds, and Session the term of
	// the clock session that holds then.
	Now     int64  `json:"now"`
	Session uint64 `json:"session"`
	// Restored says that the member took its whole state from a snapshot (at
	// its start, or a leader's install); then there are no events.
	Restored bool    `json:"restored,omitempty"`
	Events   []Event `json:"events,omitempty"`
}

// Role is a change of a member's role in raft: "follower", "candidate" or
// "leader". A process begins with one.
type Role struct {
	Member string `json:"member"`
	Life   int    `json:"life"`
	At     int64  `json:"at"`
	State  string `json:"state"`
	Term   uint64 `json:"term"`
}

// Vote is a vote that a member gave, itself included, once it said it was
// durable. ReadBack marks the vote that a process found on its disk.
type Vote struct {
	Member    string `json:"member"`
	Life      int    `json:"life"`
	At        int64  `json:"at"`
	Term      uint64 `json:"term"`
	Candidate string `json:"candidate"`
	ReadBack  bool   `json:"read_back,omitempty"`
}
