package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"

	"holdfast/jepsen/process"
)

const (
	// hashesKept is how many of the latest log indices a member shows hashes
	// of; draws reach back no further.
	hashesKept = 4096
	// maxDraws bounds the draws for one sample. Some log indices carry no
	// command and have no hash.
	maxDraws = 500
)

// sample is the history hash of every member at one log index.
type sample struct {
	index  uint64
	hashes map[string]string
}

// kernelAnswer is what /debug/kernel says.
type kernelAnswer struct {
	Index       uint64 `json:"index"`
	HistoryHash string `json:"history_hash"`
	Applied     uint64 `json:"applied"`
}

// askKernel asks one member; ok is false if it does not keep that index.
// Without an index it asks for the latest.
func askKernel(ctx context.Context, m *process.Member, index uint64) (a kernelAnswer, ok bool, err error) {
	url := m.OpsURL + "/debug/kernel"
	if index > 0 {
		url += fmt.Sprintf("?index=%d", index)
	}
	status, body, err := ask(ctx, url)
	if err != nil {
		return a, false, fmt.Errorf("ask %s for its hash: %w", m.Name, err)
	}
	if status == http.StatusNotFound {
		return a, false, nil
	}
	if err := json.Unmarshal(body, &a); err != nil || status != http.StatusOK || a.HistoryHash == "" {
		return a, false, fmt.Errorf("ask %s for its hash: status %d: %.200s", m.Name, status, body)
	}
	if index > 0 && a.Index != index {
		return a, false, fmt.Errorf("ask %s for its hash: asked for index %d, answered %d", m.Name, index, a.Index)
	}
	return a, true, nil
}

// compareHashes takes samples until there are as many as are due after k kills.
func (r *run) compareHashes(ctx context.Context, k int) error {
	if !r.Program.Ops {
		return nil
	}
	for due := (r.Samples*k + r.Kills - 1) / r.Kills; len(r.hashes) < due; {
		if err := r.takeSample(ctx); err != nil {
			return fmt.Errorf("torture: compare hashes: %w", err)
		}
	}
	return nil
}

// takeSample draws log indices among those kept until every member has a hash
// at one of them.
func (r *run) takeSample(ctx context.Context) error {
	for range maxDraws {
		highest, err := r.appliedByAll(ctx)
		if err != nil {
			return err
		}
		if highest == 0 {
			continue
		}
		s := sample{index: highest - r.rng.Uint64N(min(highest, hashesKept)), hashes: map[string]string{}}
		for _, m := range r.cluster.Members {
			a, ok, err := askKernel(ctx, m, s.index)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			s.hashes[m.Name] = a.HistoryHash
		}
		if len(s.hashes) == len(r.cluster.Members) {
			r.hashes = append(r.hashes, s)
			return nil
		}
	}
	return errors.New("no index at which every member keeps a hash; see the members' logs")
}

// appliedByAll is the highest log index that every member has applied, 0 if one
// of them cannot tell just now.
func (r *run) appliedByAll(ctx context.Context) (uint64, error) {
	highest := uint64(math.MaxUint64)
	for _, m := range r.cluster.Members {
		a, ok, err := askKernel(ctx, m, 0)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, nil
		}
		highest = min(highest, a.Applied)
	}
	return highest, nil
}
