//go:build faults && unix

package cluster

import "holdfast/wal/faults"

// This file is in no program but those built to have the disk broken under them.
func init() {
	if inject := faults.FromEnvironment(); inject != nil {
		diskOp = inject.Do
	}
}
