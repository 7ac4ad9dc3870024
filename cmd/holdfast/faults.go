//go:build faults && unix

package main

import (
	"fmt"
	"os"
	"time"

	"holdfast/kernel/replica"
	"holdfast/wal/faults"
)

// This file is in no program but those built to have the disk broken under them.
// It says so at each start: such a program must not come to keep anybody's data.
func init() {
	inject := faults.FromEnvironment()
	if inject == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "holdfast: built to have the disk broken under it: "+os.Getenv(faults.Environment))
	tune = func(c *replica.Config) {
		p := inject.Plan()
		c.SegmentBytes, c.TrailingBytes = p.SegmentBytes, p.TrailingBytes
		c.SnapshotCheck = time.Duration(p.SnapshotCheckMillis) * time.Millisecond
		if p.SnapshotEntries > 0 {
			c.SnapshotEntries = p.SnapshotEntries
		}
	}
}
