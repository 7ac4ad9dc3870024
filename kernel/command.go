package kernel

// Op says what a command asks for.
type Op uint8

// The operations on keys (etcd's v2 store has the same seven), and those on
// the cluster's own state. Their numbers are part of the wire form.
const (
	OpSet              Op = 1
	OpCreate           Op = 2
	OpCreateInOrder    Op = 3
	OpUpdate           Op = 4
	OpCompareAndSwap   Op = 5
	OpDelete           Op = 6
	OpCompareAndDelete Op = 7
	// OpExpire removes what has expired by cluster time, at most
	// MaxExpirePerCommand nodes, the longest overdue first.
	OpExpire Op = 8
	// OpMemberAdd makes a member known, by id, name and URLs. The state gives
	// it a UID.
	OpMemberAdd Op = 16
	// OpMemberAttributes publishes a member's name and client URLs.
	OpMemberAttributes Op = 17
	// OpMemberUpdate changes a member's peer URLs.
	OpMemberUpdate Op = 18
	// OpMemberRemove forgets a member. Its id is not taken again, as long as
	// it is among the last MaxRemovedMembers removed.
	OpMemberRemove Op = 19
	// OpClusterVersion sets the version that all members can speak, a Value of
	// at most MaxNameBytes.
	OpClusterVersion Op = 20
	// OpSetting changes a replicated setting: Path is its name, Value its new
	// value.
	OpSetting Op = 21
)

// Command is one request to the state machine. Which fields count depends on
// the operation.
type Command struct {
	Op   Op
	Path string
	// Value is what is written.
	Value string
	// Dir makes (or, in a delete, allows) a directory.
	Dir bool
	// Recursive lets a delete take a directory that is not empty.
	Recursive bool
	// Refresh renews the time to live only: the value stays, nobody is woken.
	Refresh bool
	// TTLSeconds is the time to live if HasTTL; 0 expires at once, without
	// HasTTL the node lives for ever.
	TTLSeconds uint64
	HasTTL     bool
	// PrevValue and PrevIndex are the conditions of a compare; "" and 0 do
	// not compare, as in etcd.
	PrevValue string
	PrevIndex StoreIndex
	// Member is the subject of the member operations.
	Member Member
}

// Member is what the cluster knows of one of its members.
type Member struct {
	// ID is the member id, random, 64 bits, never 0.
	ID uint64
	// UID counts members from 1 in the order they were added; never reused.
	UID uint64
	// Name is the operator's.
	Name string
	// PeerURLs is where other members reach it, ClientURLs where clients do.
	PeerURLs, ClientURLs []string
}

// Result is a command's answer: an event, a refusal, or, for commands on the
// cluster's own state, neither.
type Result struct {
	Event *Event
	Err   *Error
}
