//go:build unix

package powercut

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"holdfast/wal/faults"
)

// Whatever is drawn, a sector that was not written to since it was synced is as
// synced, and a file to which was only appended keeps all synced bytes: a
// damage that takes more would convict an honest daemon.
func TestMixKeepsWhatWasSynced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := rapid.SliceOfN(rapid.Byte(), 0, 3*sector).Draw(t, "synced")
		now := append([]byte{}, old...)
		appended := rapid.Bool().Draw(t, "appended only")
		if !appended && len(now) > 0 {
			now = now[:rapid.IntRange(0, len(now)).Draw(t, "cut to")]
		}
		shortest := len(now)
		now = append(now, rapid.SliceOfN(rapid.Byte(), 0, 3*sector).Draw(t, "since")...)
		r := &remains{rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), done: map[string]int{}}
		got := r.mix(old, now)
		require.GreaterOrEqual(t, len(got), min(len(old), len(now)))
		require.LessOrEqual(t, len(got), max(len(old), len(now)))
		untouched := shortest / sector * sector
		if appended {
			untouched = len(old)
		}
		require.Equal(t, old[:untouched], got[:untouched])
	})
}

// Each style does what its name says to bytes appended since the last sync.
func TestStyles(t *testing.T) {
	old := make([]byte, 100)
	for i := range old {
		old[i] = 'o'
	}
	now := append([]byte{}, old...)
	for range 4 * sector {
		now = append(now, 'n')
	}
	seen := map[style]map[string]bool{}
	for _, s := range styles {
		seen[s] = map[string]bool{}
		for seed := range uint64(200) {
			r := &remains{rng: rand.New(rand.NewPCG(seed, 0)), done: map[string]int{}, style: s}
			got := r.mix(old, now)
			seen[s]["whole"] = seen[s]["whole"] || string(got) == string(now)
			seen[s]["nothing"] = seen[s]["nothing"] || string(got) == string(old)
			seen[s]["short"] = seen[s]["short"] || len(got) > len(old) && len(got) < len(now)
			if len(got) == len(now) {
				late, early := got[len(got)-1] == 'n', got[len(old)] == 'n'
				seen[s]["late without early"] = seen[s]["late without early"] || late && !early
			}
		}
	}
	assert.Equal(t, map[string]bool{"whole": false, "nothing": true, "short": false}, seen[lost])
	assert.Equal(t, map[string]bool{"whole": true, "nothing": false, "short": false, "late without early": false}, seen[kept])
	assert.True(t, seen[cut]["short"])
	assert.False(t, seen[cut]["late without early"])
	assert.Equal(t, map[string]bool{"whole": false, "nothing": false, "short": false, "late without early": false}, seen[zeros])
	for _, s := range []style{scattered, garbage} {
		assert.True(t, seen[s]["late without early"], s)
		assert.False(t, seen[s]["short"], s)
	}
}

// Entries of directories that were not synced come and go one by one, removed
// ones come back with what they held, and the same seed gives the same damage.
func TestBuild(t *testing.T) {
	base := t.TempDir()
	root, record := filepath.Join(base, "d"), filepath.Join(base, "r")
	require.NoError(t, os.Mkdir(root, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(root, "gone"), []byte("gone"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(root, "replaced"), []byte("before"), 0o600))
	_, err := faults.New(faults.Plan{Root: root, Record: record})
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(root, "gone")))
	require.NoError(t, os.WriteFile(filepath.Join(root, "new"), []byte("after"), 0o600))
	require.NoError(t, os.Rename(filepath.Join(root, "new"), filepath.Join(root, "replaced")))
	require.NoError(t, os.WriteFile(filepath.Join(root, "made"), nil, 0o600))

	build := func(seed uint64) map[string]string {
		r, err := newRemains(root, record, rand.New(rand.NewPCG(seed, 0)))
		require.NoError(t, err)
		to := filepath.Join(t.TempDir(), "left")
		require.NoError(t, r.build(to))
		return contents(t, to)
	}
	seen := map[string]bool{}
	for seed := range uint64(100) {
		left := build(seed)
		assert.Equal(t, left, build(seed))
		_, gone := left["gone"]
		_, made := left["made"]
		seen["removed entry back"] = seen["removed entry back"] || gone && left["gone"] == "gone"
		seen["entry lost"] = seen["entry lost"] || !made
		seen["entry kept"] = seen["entry kept"] || made
		seen["replaced entry back"] = seen["replaced entry back"] || left["replaced"] == "before"
		seen["replaced"] = seen["replaced"] || left["replaced"] != "before"
	}
	assert.Equal(t, map[string]bool{"removed entry back": true, "entry lost": true, "entry kept": true, "replaced entry back": true, "replaced": true}, seen)
}

func contents(t *testing.T, dir string) map[string]string {
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found[entry.Name()] = string(b)
		return err
	}))
	return found
}

// The ledger finds what is lost, what nobody wrote and what was refused, and
// takes either end of a write of unknown outcome.
func TestLedger(t *testing.T) {
	full := func() *ledger {
		l := newLedger()
		l.begin("a", "1")
		l.acknowledge("a", "1")
		l.begin("a", "2") // unknown
		l.begin("b", "1") // unknown
		l.begin("c", "1")
		l.withdraw("c", "1")
		return l
	}
	for _, held := range []map[string]string{{"a": "1"}, {"a": "2"}, {"a": "2", "b": "1"}} {
		assert.Empty(t, full().settle(held), "%v", held)
	}
	for _, held := range []map[string]string{{}, {"a": "3"}, {"a": "1", "b": "2"}, {"a": "1", "c": "1"}, {"a": "1", "b": refused + "1"}} {
		assert.NotEmpty(t, full().settle(held), "%v", held)
	}
	l := full()
	l.settle(map[string]string{"a": "2"})
	assert.NotEmpty(t, l.settle(map[string]string{"a": "1"}), "what was read once is there for good")
}
