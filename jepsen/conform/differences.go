package conform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Difference names where a server may differ in one scenario, and why.
type Difference struct {
	// Scenario is the ID.
	Scenario string `json:"scenario"`
	// Where lists parts of failure lines, such as "body.state", that must
	// occur; Maybe lists parts that may. A line that holds none of them is not
	// covered.
	Where  []string `json:"where"`
	Maybe  []string `json:"maybe"`
	Reason string   `json:"reason"`
}

// LoadDifferences reads a JSON list of differences.
func LoadDifferences(file string) ([]Difference, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("load differences: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var all []Difference
	if err := dec.Decode(&all); err != nil {
		return nil, fmt.Errorf("load differences: %s: %w", file, err)
	}
	for _, d := range all {
		if d.Scenario == "" || d.Reason == "" || len(d.Where)+len(d.Maybe) == 0 {
			return nil, fmt.Errorf("load differences: %s: %w: %q lacks scenario, where or reason; add it", file, ErrScenario, d.Scenario)
		}
	}
	return all, nil
}

// Unexpected returns what is wrong with results given the allowed differences:
// failures that none covers, and allowed differences that do not occur, for a
// list that only grows soon allows everything.
func Unexpected(results []Result, allowed []Difference) []string {
	used := make([]map[string]bool, len(allowed))
	for i := range used {
		used[i] = map[string]bool{}
	}
	var wrong []string
	for i := range results {
		for _, f := range results[i].Failures {
			if !covered(results[i].Scenario.ID(), f, allowed, used) {
				wrong = append(wrong, results[i].Scenario.ID()+": "+f)
			}
		}
	}
	for i, d := range allowed {
		for _, w := range d.Where {
			if !used[i][w] {
				wrong = append(wrong, fmt.Sprintf("%s: allowed to differ at %q, but does not; take it off the list", d.Scenario, w))
			}
		}
	}
	return wrong
}

func covered(id, failure string, allowed []Difference, used []map[string]bool) bool {
	for i, d := range allowed {
		if d.Scenario != id {
			continue
		}
		for _, w := range slices.Concat(d.Where, d.Maybe) {
			if strings.Contains(failure, w) {
				used[i][w] = true
				return true
			}
		}
	}
	return false
}
