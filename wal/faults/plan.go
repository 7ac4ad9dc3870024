package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
)

// Environment is the variable that holds the plan, in JSON.
const Environment = "HOLDFAST_FAULTS"

// MaxRules bounds the rules of a plan.
const MaxRules = 64

// Plan is what is to happen. The sizes are those of replica.Config: a log must
// have several segments and snapshots before it is worth breaking. 0 leaves the
// daemon's own.
type Plan struct {
	// Root is the data directory, absolute, as the daemon is told it.
	Root string `json:"root"`
	// Record is the directory that takes the record, outside of Root; none if
	// empty. What it held before is not looked at.
	Record string `json:"record,omitempty"`
	// Rules are asked in order; the first that applies to an operation has it.
	Rules []Rule `json:"rules,omitempty"`

	SegmentBytes        int    `json:"segment_bytes,omitempty"`
	SnapshotEntries     uint64 `json:"snapshot_entries,omitempty"`
	SnapshotCheckMillis int    `json:"snapshot_check_ms,omitempty"`
	TrailingBytes       uint64 `json:"trailing_bytes,omitempty"`
}

// Rule says what to do with which operation.
type Rule struct {
	// Op is the operation: create, mkdir, write, append (records of the log),
	// sync, fill (the sync of a segment that is full, inside tidwall/wal),
	// syncdir, truncate, rename or remove; any if empty.
	Op string `json:"op,omitempty"`
	// Path is a pattern, as path.Match has it, for the file below Root; any if
	// empty. A rename has the new path.
	Path string `json:"path,omitempty"`
	// Nth is which of the matching operations, from 1; each if 0.
	Nth int `json:"nth,omitempty"`
	// Onward also takes all matching ones after the Nth.
	Onward bool   `json:"onward,omitempty"`
	Do     Action `json:"do"`
}

// Action is what a rule does.
type Action string

// The actions.
const (
	Kill      Action = "kill"       // end by SIGKILL instead of it
	KillAfter Action = "kill-after" // end by SIGKILL when it is done
	NoSpace   Action = "ENOSPC"     // fail
	IOError   Action = "EIO"        // fail
	Hang      Action = "hang"       // never return
	Omit      Action = "omit"       // leave it out and call it done: the planted fault
)

var (
	actions    = []Action{Kill, KillAfter, NoSpace, IOError, Hang, Omit}
	operations = []string{"", "create", "mkdir", "write", "append", "sync", "fill", "syncdir", "truncate", "rename", "remove"}
)

// parsePlan reads a plan and checks it.
func parsePlan(text string) (p Plan, err error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return p, fmt.Errorf("%s: %w; it takes a plan in JSON, see wal/faults", Environment, err)
	}
	if !path.IsAbs(p.Root) || p.Record != "" && !path.IsAbs(p.Record) {
		return p, fmt.Errorf("%s: root %q, record %q: not absolute; name whole paths", Environment, p.Root, p.Record)
	}
	if len(p.Rules) > MaxRules {
		return p, fmt.Errorf("%s: %d rules; at most %d are taken", Environment, len(p.Rules), MaxRules)
	}
	for i, r := range p.Rules {
		_, badPattern := path.Match(r.Path, "")
		if !slices.Contains(actions, r.Do) || !slices.Contains(operations, r.Op) || r.Nth < 0 || badPattern != nil {
			return p, fmt.Errorf("%s: rule %d: %+v: no such operation, action, count or pattern; see wal/faults", Environment, i, r)
		}
	}
	return p, nil
}

// due counts an operation that matches and tells whether the rule has it.
func (r Rule) due(op, name string, count *int) bool {
	if r.Op != "" && r.Op != op {
		return false
	}
	if matched, err := path.Match(r.Path, name); r.Path != "" && (err != nil || !matched) {
		return false
	}
	*count++
	return r.Nth == 0 || *count == r.Nth || r.Onward && *count > r.Nth
}
