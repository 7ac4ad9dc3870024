// Package kernel is the pure state machine of Holdfast: the tree of keys and
// directories that etcd's v2 API shows, their times to live, the compare
// conditions, the ring of recent events, the members and the replicated
// settings.
//
// Its promise: the same entries in, the same bytes out. A [State] reads no
// clock, no randomness and no environment; it starts no goroutine and takes no
// lock. Two states that applied the same entries at the same log indices give
// the same results, the same events, the same [State.HistoryHash] and, byte
// for byte, the same snapshot, whatever machine they run on.
//
// The only time it knows is cluster time ([Time]), which entries carry (see
// [Session]); the only way to change it is [State.Apply]. Reading goes through
// [State.View], an immutable copy that costs O(1) and may be read by other
// goroutines while the state goes on.
//
// It is not for: talking to anybody, deciding who leads, keeping anything on
// disk, or serving several goroutines at once. Package kernel/replica does
// that.
//
// Wire forms (commands, entries, snapshots) are versioned; a form that was
// ever released stays readable. A form newer than this build is refused with
// [ErrNewerVersion], never guessed at.
package kernel
