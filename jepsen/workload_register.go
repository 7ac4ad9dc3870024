package jepsen

import "time"

var registerKinds = []chosen{{Read, 32}, {LocalRead, 15}, {Write, 28}, {CAS, 20}, {Delete, 5}}

// workRegister reads, writes, swaps and deletes a few registers; now and then
// it asks all members for one.
func workRegister(s *session) {
	if s.wanders() {
		return
	}
	last := make([]seen, len(s.names))
	for s.next() {
		k := s.rng.IntN(len(s.names))
		if s.oneIn(30) {
			s.everywhere(Read, s.names[k])
			continue
		}
		o := Operation{Op: s.choose(registerKinds), Key: s.names[k]}
		if o.Op == CAS {
			if o.Prev = last[k].value; o.Prev == "" {
				o.Op = Read
			}
		}
		if writes(o.Op) {
			o.Arg = s.fresh()
		}
		o = s.do(o)
		last[k].learn(&o)
	}
}

var casKinds = []chosen{{CAS, 60}, {CAD, 12}, {Create, 14}, {Update, 11}, {Delete, 3}}

// workCAS looks at a key and changes it on the condition of what it saw, mostly
// at once, else after others had their chance. A look at one member's own view
// may be old, and the condition with it.
func workCAS(s *session) {
	if s.wanders() {
		return
	}
	last := make([]seen, len(s.names))
	for s.next() {
		k := s.rng.IntN(len(s.names))
		o := Operation{Op: s.choose(casKinds), Key: s.names[k]}
		if (o.Op == CAS || o.Op == CAD) && !s.oneIn(4) {
			look := Operation{Op: Read, Key: o.Key}
			if s.oneIn(5) {
				look.Op = LocalRead
			}
			look = s.do(look)
			last[k].learn(&look)
			if s.oneIn(3) && !s.next() {
				return
			}
		}
		if (o.Op == CAS || o.Op == CAD) && !s.condition(&o, last[k]) {
			o.Op = Create
		}
		if writes(o.Op) {
			o.Arg = s.fresh()
		}
		o = s.do(o)
		last[k].learn(&o)
	}
}

// wanderPatience is how long a wanderer waits for an answer.
const wanderPatience = 400 * time.Millisecond

// wanders makes the last of several clients a wanderer: it reads through one
// member after the other, in no order, and does not wait for long. A member
// that has been deposed and does not know it is asked again and again, while
// who is patient waits for the answer to its first question.
func (s *session) wanders() bool {
	if s.index == 0 || s.index != s.env.Clients-1 {
		return false
	}
	s.client.Timeout = min(s.client.Timeout, wanderPatience)
	for s.next() {
		s.move()
		k := Read
		if s.oneIn(5) {
			k = LocalRead
		}
		s.perform(Operation{Op: k, Key: pick(s, s.names)})
	}
	return true
}
