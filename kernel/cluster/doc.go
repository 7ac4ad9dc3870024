// Package cluster is a member's life: what it is called, how it starts, and
// how it makes itself known.
//
// It decides from the data directory and the options whether a member is new
// or comes back, gives it its identity, starts the replica, and publishes the
// member's name and addresses through the log. A static member whose log was
// wiped is refused: under its old identity it could vote a second time in a
// term and lose committed data.
//
// It is not for: the replica's own work (kernel/replica), HTTP, or flags.
package cluster
