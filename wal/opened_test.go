package wal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A store that finds the remains of a record that was being written says so.
func TestStableTellsOfTornRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stable")
	s, err := OpenStable(dir)
	require.NoError(t, err)
	assert.False(t, s.Torn())
	require.NoError(t, os.WriteFile(filepath.Join(dir, stableFile+tmpSuffix), []byte("HF"), 0o600))
	s, err = OpenStable(dir)
	require.NoError(t, err)
	assert.True(t, s.Torn())
	s, err = OpenStable(dir)
	require.NoError(t, err)
	assert.False(t, s.Torn(), "they are gone")
}

// A log knows whether it knew how far it was durable. One that is empty has nothing to know.
func TestLogTellsWhetherItWasHinted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir)
	assert.True(t, l.Hinted(), "new")
	store(t, l, entries(1, 5, 1)...)
	require.NoError(t, l.Close())
	l = open(t, dir)
	assert.True(t, l.Hinted())
	require.NoError(t, l.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, hintFile)))
	l = open(t, dir)
	assert.False(t, l.Hinted())
	require.NoError(t, l.Close())
	assert.True(t, open(t, dir).Hinted(), "it has one again")
}
