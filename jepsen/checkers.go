package jepsen

// Checkers gives all checkers, in the order in which they are to be believed:
// what one of them finds may be the cause of what later ones find.
func Checkers() []Checker {
	return []Checker{
		{"invariants", checkInvariants},
		{"order", checkOrder},
		{"durable", checkDurable},
		{"in-order", checkInOrder},
		{"watch", checkWatch},
		{"ttl", checkTTL},
		{"local-reads", checkLocalReads},
		{"lock", checkLock},
		{"linearizable", checkLinearizable},
		{"answers", checkAnswers},
		{"service", checkService},
	}
}
