//go:build unix

package hostile

import (
	"context"
	"fmt"
)

// Row is one attack.
type Row struct {
	Name string
	// Did says what was done, with one verb %d for Count.
	Did string
	// Count is how many connections it opens, or how often it asks.
	Count int
	// Alone keeps other rows from running meanwhile: it needs the machine, or the
	// descriptors of this process.
	Alone bool
	// Args are more of the daemon's.
	Args []string
	// Prepare fills the store before the first measurement; nil: not at all.
	Prepare func(ctx context.Context, s *stage) error
	// Attack returns when it has seen the answers; what it has opened is closed
	// after it. Its error means that the attack could not be carried out.
	Attack func(ctx context.Context, s *stage) error
	// Want is each answer that must be counted, and how often; no other may be.
	Want map[string]int
}

// descriptors is how many connections the largest row holds at once, and some.
const descriptors = 17_000

// Rows is the table.
func Rows() []Row {
	var all []Row
	for _, part := range [][]Row{watchRows(), slowRows(), connectionRows(), bodyRows(), requestRows(), portRows(), listingRows(), snapshotRows()} {
		all = append(all, part...)
	}
	return all
}

// did is the row's text with its number.
func (r *Row) did() string { return fmt.Sprintf(r.Did, r.Count) }
