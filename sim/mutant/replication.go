package mutant

import "holdfast/sim/patch"

var replication = []Mutant{
	{
		ID:    "M09",
		Fault: "a leader commits an entry of an earlier term as soon as a majority has it, before one of its own term",
		Known: "the Raft paper's figure 8, LogCabin#44, canonical/raft 524f735",
		Hard: "It takes two leaders that leave entries behind which nobody else has, and a third that commits the older of these and " +
			"falls before an entry of its own term has reached anybody. The fault short-reigns makes such rows of leaders. It would " +
			"take more seeds.",
		Edits: []patch.Edit{
			{
				Module: moduleRaft, File: "commitment.go",
				Old: "	if quorumMatchIndex > c.commitIndex && quorumMatchIndex >= c.startIndex {\n",
				New: "	if quorumMatchIndex > c.commitIndex {\n",
			},
			// Sixteen entries go in one message, and the first of the leader's own term nearly always with them. Now each goes alone.
			{
				File: "kernel/replica/raft.go",
				Old:  "	c.MaxAppendEntries = 16\n",
				New:  "	c.MaxAppendEntries = 1\n",
			},
		},
	},
	{
		ID:    "M11",
		Fault: "a request to append truncates the log behind its entries although they are there already",
		Known: "akka-entity-replication#151, RedisLabs/raft#49",
		Edits: []patch.Edit{
			{
				Module: moduleRaft, File: "raft.go",
				Old: "			if entry.Term != storeEntry.Term {\n				r.logger.Warn(\"clearing log suffix\"",
				New: "			if entry.Index <= lastLogIdx {\n				r.logger.Warn(\"clearing log suffix\"",
			},
			// This transport sends nothing twice. Now it does, as one that tries again after a lost answer: the same bytes, late.
			{
				File: "transport/raftrpc/handle.go",
				Old:  "	took, err := h.call(c)\n	if c.class == ClassAppend {\n",
				New: `	if c.class == ClassAppend && len(args.Entries) > 0 && rand.IntN(4) == 0 {
		again := *args
		again.Entries = slices.Clone(args.Entries)
		late := c
		late.encode = func(b []byte, e envelope) []byte { return appendAppendRequest(b, e, &again) }
		late.decode = func([]byte) error { return nil }
		time.AfterFunc(time.Duration(100+rand.IntN(900))*time.Millisecond, func() { _, _ = h.call(late) })
	}
	took, err := h.call(c)
	if c.class == ClassAppend {
`,
			},
			{
				File: "transport/raftrpc/handle.go",
				Old:  "	\"io\"\n",
				New:  "	\"io\"\n	\"math/rand/v2\"\n",
			},
		},
	},
	{
		ID:    "M13",
		Fault: "the log's cache of entries keeps those that were cut off, and gives them out in place of what was stored instead",
		Known: "cockroachdb/cockroach#63302",
		Edits: []patch.Edit{{
			File: "wal/truncate.go",
			Old:  "	l.cache.clear()\n",
			New:  "",
		}},
	},
	{
		ID:    "M22",
		Fault: "a forwarded write whose answer was lost is sent again, and so may be applied twice",
		Known: "RedisLabs/redisraft#52, Raft dissertation section 6.3",
		Edits: []patch.Edit{{
			File: "kernel/replica/forward.go",
			Old:  "			return frame{}, fmt.Errorf(\"%w (the connection to the leader broke)\", ErrUnknown)\n",
			// Who gets ErrNoLeader tries again: it says that nothing was done.
			New: "			return frame{}, fmt.Errorf(\"%w (the connection to the leader broke)\", ErrNoLeader)\n",
		}},
	},
	{
		ID:    "M24",
		Fault: "the comparison of a swap is made before it is proposed, by the member that was asked, and not where it is applied",
		Known: "the register test of aphyr.com/posts/316",
		Edits: []patch.Edit{
			{
				File: "kernel/keys.go",
				Old:  "	return (c.PrevValue == \"\" || c.PrevValue == n.Value) && (c.PrevIndex == 0 || c.PrevIndex == n.Modified)\n",
				New:  "	return true\n",
			},
			{
				File: "httpd/keys.go",
				Old:  "	answer, err := s.replica.Propose(context.Background(), wire)\n",
				New: `	if refused := s.compareHere(&q.command); refused != nil {
		s.sendRefusal(ctx, x, refused)
		return
	}
	answer, err := s.replica.Propose(context.Background(), wire)
`,
			},
			{
				File: "httpd/keys.go",
				Old:  "func (s *Server) sendEvent(",
				New: `func (s *Server) compareHere(c *kernel.Command) *kernel.Error {
	if c.Op != kernel.OpCompareAndSwap && c.Op != kernel.OpCompareAndDelete {
		return nil
	}
	v, err := s.replica.Local()
	if err != nil {
		return refusalOf(err)
	}
	n, refused := v.Get(c.Path)
	if refused != nil {
		return refused
	}
	cause := ""
	if c.PrevValue != "" && c.PrevValue != n.Value {
		cause = "[" + c.PrevValue + " != " + n.Value + "]"
	}
	if c.PrevIndex != 0 && c.PrevIndex != n.Modified {
		cause += "[prevIndex]"
	}
	if cause != "" {
		return &kernel.Error{Code: kernel.CodeTestFailed, Cause: cause, Index: v.Index}
	}
	return nil
}

func (s *Server) sendEvent(`,
			},
		},
	},
	{
		ID:    "M65",
		Fault: "of a write on the condition of both a value and an index only the value is compared",
		Known: "our own, against prevValue and prevIndex in one request",
		Edits: []patch.Edit{{
			File: "kernel/keys.go",
			Old:  "	return (c.PrevValue == \"\" || c.PrevValue == n.Value) && (c.PrevIndex == 0 || c.PrevIndex == n.Modified)\n",
			New:  "	if c.PrevValue != \"\" {\n		return c.PrevValue == n.Value\n	}\n	return c.PrevIndex == 0 || c.PrevIndex == n.Modified\n",
		}},
	},
}
