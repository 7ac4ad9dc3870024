package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Decisions is a run as data: everything that was drawn before it, and every fault as it came up, with whom it went for.
// Played again with the same module by the same simulator it is the same run; edited, it is another one that can be played
// as well.
type Decisions struct {
	Seed   uint64
	Module string // ModuleHash of the guest that it was made with
	Before string // of the earlier version's; empty: there was none
	Commit string // of the simulator; empty or "unknown": nobody knows
	Plan   Plan
	Faults []Fault
	// Hash and Verdict are the run's; Untouched tells whether the log is as it was written, these two included.
	Hash      uint64
	Verdict   Verdict
	Untouched bool
}

// ErrDecisions is wrapped by errors about a decision log that cannot be played.
var ErrDecisions = errors.New("bad decision log")

const decisionsFormat = "holdfast-sim decisions 2"

// Limits of a decision log.
const (
	maxDecisionLine = 1 << 20
	maxFaults       = 250_000 // of a day at the quickest pace
)

type decisionHead struct {
	Format string `json:"format"`
	Seed   string `json:"seed"`
	Module string `json:"module"`
	Before string `json:"before,omitempty"`
	Commit string `json:"commit,omitempty"`
	Plan   Plan   `json:"plan"`
}

type decisionEnd struct {
	End struct {
		Hash    string  `json:"hash"`
		Verdict Verdict `json:"verdict"`
		Sum     string  `json:"sum"` // over all of the log but itself
	} `json:"end"`
}

// sum is what Sum has to be: over all lines before, which it is given, and over what else the end says.
func (e *decisionEnd) sum(before *xxhash.Digest) string {
	_, _ = before.WriteString(e.End.Hash + " " + string(e.End.Verdict)) // never fails
	return fmt.Sprintf("0x%016x", before.Sum64())
}

// Write writes the log: JSON lines, a head, a line per fault, an end. Decisions without a verdict have not been played yet,
// and get no end: read back they count as edited.
func (d *Decisions) Write(w io.Writer) error {
	var b bytes.Buffer
	enc, sum := json.NewEncoder(&b), xxhash.New()
	err := enc.Encode(decisionHead{Format: decisionsFormat, Seed: fmt.Sprintf("0x%x", d.Seed), Module: d.Module, Before: d.Before, Commit: d.Commit, Plan: d.Plan})
	for i := range d.Faults {
		err = errors.Join(err, enc.Encode(&d.Faults[i]))
	}
	if d.Verdict != "" {
		var end decisionEnd
		end.End.Hash, end.End.Verdict = fmt.Sprintf("0x%016x", d.Hash), d.Verdict
		_, _ = sum.Write(b.Bytes()) // never fails
		end.End.Sum = end.sum(sum)
		err = errors.Join(err, enc.Encode(end))
	}
	if err != nil {
		return fmt.Errorf("encode decision log: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write decision log: %w", err)
	}
	return nil
}

// ReadDecisions reads what Write wrote, edited or not; errors wrap ErrDecisions and name the line.
func ReadDecisions(r io.Reader) (*Decisions, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 64<<10), maxDecisionLine)
	d, sum, line, ended := &Decisions{}, xxhash.New(), 0, false
	fail := func(err error, do string) error {
		return fmt.Errorf("%w: line %d: %w; %s", ErrDecisions, line, err, do)
	}
	for sc.Scan() {
		line++
		if ended {
			return nil, fail(errors.New("more after the end"), "remove it")
		}
		var err error
		switch text := sc.Bytes(); {
		case line == 1:
			err = d.readHead(text)
		case bytes.HasPrefix(text, []byte(`{"end":`)):
			ended = true
			err = d.readEnd(text, sum)
		case len(d.Faults) == maxFaults:
			err = fmt.Errorf("more than %d faults", maxFaults)
		default:
			var f Fault
			if err = strict(text, &f); err == nil {
				d.Faults = append(d.Faults, f)
			}
		}
		if err != nil {
			return nil, fail(err, "expect what run --log wrote, with faults left out or changed")
		}
		_, _ = sum.Write(append(sc.Bytes(), '\n')) // never fails
	}
	if err := sc.Err(); err != nil {
		return nil, fail(err, "shorten the line")
	}
	if line == 0 {
		return nil, fmt.Errorf("%w: it is empty; expect what run --log wrote", ErrDecisions)
	}
	return d, d.check()
}

func strict(text []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON object")
	}
	return nil
}

func (d *Decisions) readHead(text []byte) error {
	var head decisionHead
	if err := strict(text, &head); err != nil {
		return err
	}
	if head.Format != decisionsFormat {
		return fmt.Errorf("format %q, not %q", head.Format, decisionsFormat)
	}
	seed, err := strconv.ParseUint(head.Seed, 0, 64)
	if err != nil {
		return fmt.Errorf("seed %q: %w", head.Seed, err)
	}
	d.Seed, d.Module, d.Before, d.Commit, d.Plan = seed, head.Module, head.Before, head.Commit, head.Plan
	return nil
}

func (d *Decisions) readEnd(text []byte, before *xxhash.Digest) error {
	var end decisionEnd
	if err := strict(text, &end); err != nil {
		return err
	}
	hash, err := strconv.ParseUint(end.End.Hash, 0, 64)
	if err != nil {
		return fmt.Errorf("hash %q: %w", end.End.Hash, err)
	}
	d.Hash, d.Verdict, d.Untouched = hash, end.End.Verdict, end.End.Sum == end.sum(before)
	return nil
}

// check refuses what cannot be played.
func (d *Decisions) check() error {
	if err := d.Plan.check(); err != nil {
		return err
	}
	seen := make(map[int]bool, len(d.Faults)) // read by key only
	for i := range d.Faults {
		f := &d.Faults[i]
		if seen[f.ID] {
			return fmt.Errorf("%w: fault %d: there are two of this id; give one of them another", ErrDecisions, f.ID)
		}
		seen[f.ID] = true
		if err := f.check(&d.Plan); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a fault that could not have been drawn for the plan, but for how long it lasts.
func (f *Fault) check(p *Plan) error {
	k := faultKind(f.Kind)
	if k == nil {
		return fmt.Errorf("%w: fault %d: unknown kind %q; see holdfast-sim run --help", ErrDecisions, f.ID, f.Kind)
	}
	last := max(k.lo, k.hi-1) // as draws.between has it
	switch {
	case f.At < 0 || f.At >= p.CalmAtNanos || f.For < 0 || f.For > p.CalmAtNanos-f.At:
		return fmt.Errorf("%w: fault %d: at %d ns for %d ns; it must end by %d ns", ErrDecisions, f.ID, f.At, f.For, p.CalmAtNanos)
	case !knownMember(f.Member, p.Nodes) || f.Other != "" && !knownMember(f.Other, p.Nodes):
		return fmt.Errorf("%w: fault %d: member %q, %q; expect m1 to m%d", ErrDecisions, f.ID, f.Member, f.Other, p.Nodes)
	case f.N < k.lo || f.N > last:
		return fmt.Errorf("%w: fault %d: n=%d; expect %d to %d of %s", ErrDecisions, f.ID, f.N, k.lo, last, k.name)
	}
	return nil
}

func knownMember(name string, nodes int) bool {
	for i := range nodes {
		if memberName(i) == name {
			return true
		}
	}
	return false
}

// madeElsewhere tells whether the log may come from another state of the simulator's sources than the one given: from
// another commit, or from one with changes of its own. Who does not know commits vouches for both being the same.
func (d *Decisions) madeElsewhere(commit string) bool {
	known := func(c string) bool { return c != "" && c != "unknown" }
	changed := func(c string) bool { return strings.HasSuffix(c, "+changes") }
	return known(d.Commit) && known(commit) && (d.Commit != commit || changed(commit))
}
