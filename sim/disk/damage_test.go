package disk

import (
	"bytes"
	"math/bits"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/experimental/sys"
)

// Rot damages synced bytes of synced names below the path, says where and how much, and damages nothing else: neither what
// a power cut could still take, nor other files.
func TestRot(t *testing.T) {
	hit, many := map[string]int{}, 0
	offsets := map[int64]bool{}
	for seed := range uint64(1000) {
		d, m := mounted()
		require.Zero(t, m.Mkdir("data", 0o700))
		require.Zero(t, m.Mkdir("data/log", 0o700))
		big := write(t, m, "data/log/big", string(bytes.Repeat([]byte("b"), 4*SectorBytes)))
		require.Zero(t, big.Sync())
		require.Zero(t, write(t, m, "data/log/small", "s").Sync())
		require.Zero(t, write(t, m, "data/logs", string(bytes.Repeat([]byte("o"), 4*SectorBytes))).Sync())
		syncPath(t, m, "data/log")
		syncPath(t, m, "data")
		syncPath(t, m, ".")
		require.Zero(t, write(t, m, "data/log/unsynced-name", string(bytes.Repeat([]byte("u"), 4*SectorBytes))).Sync())
		write(t, m, "data/log/unsynced", string(bytes.Repeat([]byte("u"), 4*SectorBytes)))
		_, errno := big.Pwrite([]byte("new"), SectorBytes+5)
		require.Zero(t, errno)
		require.Zero(t, big.Truncate(3*SectorBytes+7))
		_, errno = big.Pwrite([]byte("tail"), 3*SectorBytes+7)
		require.Zero(t, errno)

		before := image(d)
		r, ok := d.Rot(chance(seed), "data/log")
		require.True(t, ok)
		hit[r.Path]++
		after := image(d)
		flipped := 0
		first := int64(-1)
		for path, content := range before {
			for i := range len(content) {
				if x := content[i] ^ after[path][i]; x != 0 {
					require.Equal(t, r.Path, path)
					if first < 0 {
						first = int64(i)
					}
					require.Equal(t, first/SectorBytes, int64(i/SectorBytes))
					flipped += bits.OnesCount8(x)
				}
			}
		}
		require.Equal(t, r.Offset, first)
		require.Equal(t, r.Bits, flipped)
		require.LessOrEqual(t, flipped, 8)
		require.True(t, strings.HasPrefix(r.Path, "data/log/"))
		if r.Path == "data/log/big" {
			require.True(t, r.Offset < SectorBytes || r.Offset >= 2*SectorBytes && r.Offset < 3*SectorBytes, "offset %d was not synced", r.Offset)
			offsets[r.Offset/SectorBytes] = true
			if r.Bits > 1 {
				many++
			}
		}
		// It is on the disk, not in a cache: whatever a power cut does, it stays.
		d.PowerCut(chance(seed))
		b, ok := d.ReadFile(r.Path)
		require.True(t, ok)
		require.Equal(t, after[r.Path][r.Offset], b[r.Offset])
	}
	assert.Len(t, offsets, 2)
	assert.Positive(t, many)
	assert.Greater(t, hit["data/log/big"], 900, "by size")
	assert.Len(t, hit, 2, "%v", hit)
}

// Where nothing is synced, nothing can rot.
func TestNothingToRot(t *testing.T) {
	d, m := mounted()
	write(t, m, "f", "abc")
	syncPath(t, m, ".")
	for _, under := range []string{"", ".", "f", "f/g", "nothing"} {
		_, ok := d.Rot(chance(1), under)
		assert.False(t, ok, under)
	}
	syncPath(t, m, "f")
	for _, under := range []string{"", ".", "f", "f/"} {
		_, ok := d.Rot(chance(1), under)
		assert.True(t, ok, under)
	}
}

// Zeros that a file ends with hold nothing; those before the end do.
func TestZerosAheadDoNotRot(t *testing.T) {
	zeros := string(make([]byte, 3*SectorBytes))
	d, m := mounted()
	require.Zero(t, write(t, m, "f", "a"+zeros).Sync())
	require.Zero(t, write(t, m, "g", zeros).Sync())
	syncPath(t, m, ".")
	for seed := range uint64(20) {
		r, ok := d.Rot(chance(seed), "f")
		require.True(t, ok)
		require.Zero(t, r.Offset)
		_, ok = d.Rot(chance(seed), "g")
		require.False(t, ok)
	}
}

// A wipe takes a tree for good, and nothing else.
func TestWipe(t *testing.T) {
	for seed := range uint64(20) {
		d, m := mounted()
		require.Zero(t, m.Mkdir("data", 0o700))
		require.Zero(t, write(t, m, "data/synced", "abc").Sync())
		syncPath(t, m, "data")
		syncPath(t, m, ".")
		write(t, m, "data/new", "def")
		require.Zero(t, m.Unlink("data/synced"))
		require.Zero(t, write(t, m, "other", "xyz").Sync())
		assert.Equal(t, []string{"data/new", "other"}, d.Files(""))
		assert.Equal(t, []string{"data/new"}, d.Files("data/"))
		assert.Equal(t, []string{"other"}, d.Files("other"))
		assert.True(t, d.Wipe("data"))
		assert.False(t, d.Wipe("data"))
		assert.Equal(t, int64(3), d.Used())
		d.PowerCut(chance(seed))
		assert.Equal(t, map[string]string{"other": "xyz"}, image(d))
		_, errno := d.Mount(quiet{}).Stat("data")
		assert.Equal(t, sys.ENOENT, errno)
		_, ok := d.ReadFile("data/new")
		assert.False(t, ok)
		assert.True(t, d.Wipe("."))
		assert.Empty(t, d.Files(""))
		assert.Zero(t, d.Used())
		write(t, d.Mount(quiet{}), "f", "usable again")
	}
}
