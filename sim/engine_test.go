package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A run in an engine that has seen others is the run in one of its own, also after one that was stopped half-way with
// processes that live.
func TestEngineKeepsNothing(t *testing.T) {
	o := toyOptions(6, "good")
	alone, err := Run(t.Context(), o)
	require.NoError(t, err)

	o.Engine, err = NewEngine(t.Context(), &o)
	require.NoError(t, err)
	defer func() { require.NoError(t, o.Engine.Close(t.Context())) }()
	for range 2 {
		half := o
		half.UntilStep = alone.Counts.Steps / 2
		_, err = Run(t.Context(), half)
		require.NoError(t, err)
		again, err := Run(t.Context(), o)
		require.NoError(t, err)
		assert.Equal(t, alone.Hash, again.Hash)
		assert.Equal(t, alone.Counts.Steps, again.Counts.Steps)
	}
	assert.False(t, o.Engine.Lost())
}

// An engine of another module, or one that lost a process, plays nothing.
func TestEngineOfAnotherModule(t *testing.T) {
	o := Options{Seed: 3, Nodes: 3, Duration: MinDuration, Module: []byte("another"), Engine: &Engine{module: readyModule{hash: ModuleHash(toy)}}}
	_, err := Run(t.Context(), o)
	require.ErrorIs(t, err, ErrOptions)
	o.Module, o.Engine.lost = toy, true
	_, err = Run(t.Context(), o)
	require.ErrorIs(t, err, ErrOptions)
	_, err = NewEngine(t.Context(), &Options{Module: []byte("no module")})
	require.ErrorIs(t, err, ErrModule)
}
