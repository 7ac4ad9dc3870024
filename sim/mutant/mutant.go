package mutant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"holdfast/sim"
	"holdfast/sim/patch"
)

// moduleRaft is the dependency whose sources are changed.
const moduleRaft = "github.com/hashicorp/raft"

// Mutant is a fault planted in a build.
type Mutant struct {
	// ID is "M" and two digits.
	ID string
	// Fault is what is wrong, in one sentence.
	Fault string
	// Known says where the fault is known from.
	Known string
	// Hard says why it is hard to catch and what that would take, for the page if it survives; empty: it is not.
	Hard string
	// Edits plant it.
	Edits []patch.Edit
}

// All gives the mutants in the order of their ids.
func All() []Mutant {
	all := slices.Concat(reads, votes, replication, snapshots, expiry, disk, watches)
	slices.SortFunc(all, func(a, b Mutant) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// ByID finds a mutant.
func ByID(id string) (Mutant, bool) {
	all := All()
	i := slices.IndexFunc(all, func(m Mutant) bool { return m.ID == id })
	if i < 0 {
		return Mutant{}, false
	}
	return all[i], true
}

// Build builds the guest with the fault into the file out. It is to be called in the module's tree.
func Build(ctx context.Context, m Mutant, out string) error {
	if err := sim.BuildGuest(ctx, sim.Build{Package: sim.GuestPackage, Out: out, Edits: m.Edits}); err != nil {
		return fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	return nil
}
