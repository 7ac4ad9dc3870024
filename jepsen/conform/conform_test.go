package conform_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/conform"
	"holdfast/jepsen/process"
)

// corpusSize is how many scenarios there are outside the tags auth and
// destructive: a corpus that shrinks by accident would pass more easily.
const corpusSize = 281

func plainScenarios(t *testing.T) []conform.Scenario {
	all, err := conform.Load("testdata")
	require.NoError(t, err)
	var plain []conform.Scenario
	for _, s := range all {
		if !s.HasTag(conform.TagAuth, conform.TagDestructive) {
			plain = append(plain, s)
		}
	}
	require.Len(t, plain, corpusSize)
	return plain
}

// replay runs the corpus against a member and allows the listed differences.
func replay(t *testing.T, base, differences string) {
	allowed, err := conform.LoadDifferences(differences)
	require.NoError(t, err)
	r, err := conform.NewRunner(base)
	require.NoError(t, err)
	defer r.Close()
	results := r.Run(t.Context(), plainScenarios(t), nil)
	require.Len(t, results, corpusSize, "the replay ended before the corpus did")
	passed, failed := conform.Tally(results)
	t.Logf("%d passed, %d failed, %d of them allowed to", passed, failed, len(allowed))
	for _, u := range conform.Unexpected(results, allowed) {
		t.Error(u)
	}
}

// A fresh single member gives every answer of the corpus, and so does a
// follower of three, but for what checked-in lists explain.
func TestCorpus(t *testing.T) {
	program := process.TestProgram(t)
	t.Run("single member", func(t *testing.T) {
		t.Parallel()
		c := process.TestCluster(t, program, 1)
		replay(t, c.Members[0].ClientURL, "testdata/single-differences.json")
	})
	t.Run("follower of three", func(t *testing.T) {
		t.Parallel()
		c := process.TestCluster(t, program, 3)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		f, err := c.Follower(ctx)
		require.NoError(t, err)
		replay(t, f.ClientURL, "testdata/follower-differences.json")
		leads, err := f.IsLeader(t.Context())
		require.NoError(t, err)
		assert.False(t, leads, "the member became leader meanwhile, so the run proves nothing about followers")
	})
}
