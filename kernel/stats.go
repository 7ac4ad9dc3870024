package kernel

// Stats counts what this state applied since it was made or restored. Unlike
// all else in a state it is not replicated: etcd's counters, too, begin anew
// with every start of a member.
type Stats struct {
	Sets, Creates, Updates, Deletes, Swaps, CompareDeletes Count
	// Expired counts nodes that ran out of time.
	Expired uint64
}

// Count counts one kind of operation.
type Count struct{ Success, Fail uint64 }

// Stats gives the counters.
func (s *State) Stats() Stats { return s.stats }

func (st *Stats) count(c *Command, ok bool) {
	counts := [...]*Count{
		OpSet: &st.Sets, OpCreate: &st.Creates, OpCreateInOrder: &st.Creates, OpUpdate: &st.Updates,
		OpCompareAndSwap: &st.Swaps, OpDelete: &st.Deletes, OpCompareAndDelete: &st.CompareDeletes,
	}
	if n := counts[c.Op]; ok {
		n.Success++
	} else {
		n.Fail++
	}
}
