//go:build unix

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
	"holdfast/transport"
)

// The second process on a directory is told the pid of the first, and does it
// no harm; when the first is gone the directory is free, whatever LOCK says.
func TestDirectoryInUse(t *testing.T) {
	memory, dir := transport.NewMemory(), t.TempDir()
	m := start(t, config(t, memory.Host("n1"), dir, "n1:2380"))
	second := config(t, memory.Host("n1"), dir, "n1:2381")
	err := refused(t, second)
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, fmt.Sprintf("with pid %d;", os.Getpid()))
	require.Equal(t, kernel.StoreIndex(4), put(t, m.Member, "/a", "1").Event.Index)
	m.end(t)
	require.FileExists(t, filepath.Join(dir, lockFile))
	put(t, start(t, second).Member, "/a", "2")
}
