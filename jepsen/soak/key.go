package soak

import (
	"fmt"
	"slices"

	"holdfast/jepsen"
)

// key is what one client knows of a key that it alone changes. A value of "" is
// the key's absence.
type key struct {
	path  string
	acked string // as acknowledged last, or as seen since
	// unsure are the values of all changes that nobody knows the fate of. They may
	// take place at any later time.
	unsure []string
}

// may tells whether the store may hold the value.
func (k *key) may(value string) bool { return value == k.acked || slices.Contains(k.unsure, value) }

// learn takes note of an operation on the key, and says what is wrong with it.
func (k *key) learn(o *jepsen.Operation) string {
	after := o.Arg
	if o.Op == jepsen.Delete {
		after = ""
	}
	switch {
	case o.Outcome == jepsen.Unknown:
		k.unsure = append(k.unsure, after)
	case o.Op == jepsen.Read && o.Outcome == jepsen.OK:
		return k.see(o, o.Result)
	case o.Op.Reads():
	case o.Outcome == jepsen.OK:
		k.acked = after
	case o.ErrorCode == codeKeyNotFound:
		return k.see(o, "")
	case o.ErrorCode == codeTestFailed && o.Result != o.Prev:
		return k.see(o, o.Result)
	case o.ErrorCode != 0:
		return fmt.Sprintf("%s of %s was refused: code %d: %s", o.Op, o.Key, o.ErrorCode, o.Error)
	}
	return ""
}

// see holds what the store shows now against what it must hold.
func (k *key) see(o *jepsen.Operation, value string) string {
	if !k.may(value) {
		return fmt.Sprintf("%s of %s through %s shows %.40q; acknowledged was %.40q, and %d changes are of unknown outcome",
			o.Op, k.path, o.Member, value, k.acked, len(k.unsure))
	}
	k.acked = value
	return ""
}

// The error codes of the API that are answers like others.
const (
	codeKeyNotFound = 100
	codeTestFailed  = 101
	codeInternal    = 300 // and above: of a member that could not
)
