package kernel

// Sizes says how large a state's tables are, and what bounds them. Nodes are
// bounded by nothing but the memory of the members.
type Sizes struct {
	// Nodes are keys and directories, the root excluded; Deadlines those of
	// them with a time to live.
	Nodes, Deadlines int
	// Index is the store index.
	Index StoreIndex
	// Events are in the ring, which has room for EventsLimit.
	Events, EventsLimit int
	// Members are known, at most MaxMembers.
	Members int
}

// Sizes gives the sizes as they stand. It costs the same for any state.
func (s *State) Sizes() Sizes {
	return Sizes{
		Nodes: s.tree.nodes.Len(), Deadlines: s.deadlines.Len(), Index: s.index,
		Events: len(s.ring.events), EventsLimit: s.ring.size, Members: len(s.members),
	}
}
