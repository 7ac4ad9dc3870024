package kernel

// Conditional gives the command if whether it is carried out hangs on what a
// key is: a create, a compare-and-swap, a compare-and-delete. Its strings are
// views into b, which is a command's wire form.
func Conditional(b []byte) (*Command, bool) {
	if len(b) == 0 || !Op(b[0]).conditional() {
		return nil, false
	}
	c := new(Command)
	return c, decodeCommand(b, c, false) == nil
}

func (o Op) conditional() bool {
	return o == OpCreate || o == OpCompareAndSwap || o == OpCompareAndDelete
}

// Refusal tells why this state would refuse a conditional command: what Apply
// would answer if it came next. It is nil if the command would be carried out,
// and for every other command.
func (s *State) Refusal(c *Command) *Error {
	var refused *Error
	switch c.Op {
	case OpCreate:
		refused = s.creatable(c.Path)
	case OpCompareAndSwap:
		_, refused = s.swappable(c)
	case OpCompareAndDelete:
		_, refused = s.compare(c)
	}
	return refused
}

// Refuses tells whether there is a Refusal, without making one: its cause may hold
// two values.
func (s *State) Refuses(c *Command) bool {
	if c.Op != OpCompareAndSwap && c.Op != OpCompareAndDelete {
		return s.Refusal(c) != nil
	}
	n := s.tree.get(c.Path)
	return n == nil || n.Dir || !c.holds(n)
}

// CountRefusal counts a command in Stats that was answered with its Refusal and not
// applied.
func (s *State) CountRefusal(c *Command) { s.stats.count(c, false) }
