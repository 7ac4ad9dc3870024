//go:build unix

package faults

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A plan that cannot be carried out is refused before anything is broken.
func TestParsePlan(t *testing.T) {
	p, err := parsePlan(`{"root":"/d","record":"/r","rules":[{"op":"sync","path":"raft/log/0*","nth":3,"onward":true,"do":"EIO"}],"segment_bytes":4096}`)
	require.NoError(t, err)
	assert.Equal(t, Plan{Root: "/d", Record: "/r", Rules: []Rule{{Op: "sync", Path: "raft/log/0*", Nth: 3, Onward: true, Do: IOError}}, SegmentBytes: 4096}, p)
	many := `{"root":"/d","rules":[` + strings.Repeat(`{"do":"kill"},`, MaxRules) + `{"do":"kill"}]}`
	for _, bad := range []string{
		``, `{}`, `{"root":"d"}`, `{"root":"/d","record":"r"}`, `{"root":"/d","rulez":[]}`, `{"root":"/d","rules":[{}]}`,
		`{"root":"/d","rules":[{"do":"explode"}]}`, `{"root":"/d","rules":[{"op":"fsync","do":"EIO"}]}`,
		`{"root":"/d","rules":[{"path":"[","do":"EIO"}]}`, `{"root":"/d","rules":[{"nth":-1,"do":"EIO"}]}`, many,
	} {
		_, err := parsePlan(bad)
		assert.ErrorContains(t, err, Environment, "%.80s", bad)
	}
}

// Which of the matching operations a rule has.
func TestRuleDue(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		want []bool // for a sync of log/01, a write of it, three syncs of log/02
	}{
		{Rule{}, []bool{true, true, true, true, true}},
		{Rule{Op: "sync"}, []bool{true, false, true, true, true}},
		{Rule{Op: "sync", Nth: 2}, []bool{false, false, true, false, false}},
		{Rule{Op: "sync", Path: "log/02", Nth: 2, Onward: true}, []bool{false, false, false, true, true}},
		{Rule{Path: "log/0*", Nth: 2}, []bool{false, true, false, false, false}},
		{Rule{Path: "log"}, []bool{false, false, false, false, false}},
	} {
		count := 0
		var got []bool
		for _, o := range [][2]string{{"sync", "log/01"}, {"write", "log/01"}, {"sync", "log/02"}, {"sync", "log/02"}, {"sync", "log/02"}} {
			got = append(got, c.rule.due(o[0], o[1], &count))
		}
		assert.Equal(t, c.want, got, "%+v", c.rule)
	}
}

// Failures look like the system's, and nothing was done.
func TestFail(t *testing.T) {
	root := t.TempDir()
	i, err := New(Plan{Root: root, Rules: []Rule{{Op: "write", Nth: 1, Do: NoSpace}, {Op: "sync", Do: IOError}, {Op: "syncdir", Do: Omit}}})
	require.NoError(t, err)
	done := 0
	do := func() error { done++; return nil }
	assert.ErrorIs(t, i.Do("write", filepath.Join(root, "a"), do), syscall.ENOSPC)
	assert.ErrorIs(t, i.Do("sync", filepath.Join(root, "a"), do), syscall.EIO)
	assert.NoError(t, i.Do("syncdir", root, do))
	assert.Zero(t, done)
	assert.NoError(t, i.Do("write", filepath.Join(root, "a"), do))
	assert.Equal(t, 1, done)
}

// What is recorded is what had been synced, by inode, whatever has become of
// names since; a sync that failed or was left out is not.
func TestRecord(t *testing.T) {
	base := t.TempDir()
	root, dir, file := filepath.Join(base, "d"), filepath.Join(base, "r"), filepath.Join(base, "d", "file")
	require.NoError(t, os.Mkdir(root, 0o700))
	put := func(s string) { require.NoError(t, os.WriteFile(file, []byte(s), 0o600)) }
	put("at the start")
	i, err := New(Plan{Root: root, Record: dir, Rules: []Rule{{Op: "sync", Nth: 3, Do: Omit}}})
	require.NoError(t, err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	top, err := os.Stat(root)
	require.NoError(t, err)
	recorded := func() (string, map[string]uint64) {
		r, err := ReadRecord(dir)
		require.NoError(t, err)
		return string(r.Files[Inode(info)]), r.Directories[Inode(top)]
	}
	synced := func(err error) error {
		return i.Do("sync", file, func() error {
			put("written while it is synced")
			return err
		})
	}
	content, entries := recorded()
	assert.Equal(t, "at the start", content)
	assert.Equal(t, map[string]uint64{"file": Inode(info)}, entries)

	put("one")
	require.NoError(t, synced(nil))
	content, _ = recorded()
	assert.Equal(t, "one", content, "as of the call")
	put("two")
	assert.Error(t, synced(errors.New("no")))
	require.NoError(t, synced(nil)) // left out
	content, _ = recorded()
	assert.Equal(t, "one", content)

	require.NoError(t, os.Rename(file, file+"-new"))
	_, entries = recorded()
	assert.Contains(t, entries, "file")
	require.NoError(t, i.Do("syncdir", root, func() error { return nil }))
	_, entries = recorded()
	assert.Equal(t, map[string]uint64{"file-new": Inode(info)}, entries)
	require.NoError(t, i.Do("syncdir", base, func() error { return nil })) // outside: not looked at
	r, err := ReadRecord(dir)
	require.NoError(t, err)
	assert.Len(t, r.Directories, 1)
	assert.Equal(t, []string{"omit: sync file"}, r.Acts)
}

// The segment that fills is recorded, and an end at its sync leaves no trace of
// the next.
func TestAppend(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "d")
	require.NoError(t, os.Mkdir(root, 0o700))
	i, err := New(Plan{Root: root, Record: filepath.Join(base, "r")})
	require.NoError(t, err)
	path := filepath.Join(root, "01")
	fill := func(filled bool) {
		require.NoError(t, i.Append(path, func() error { return os.WriteFile(path, []byte("full"), 0o600) },
			func() (bool, error) { return filled, nil }, nil))
	}
	fill(false)
	r, err := ReadRecord(filepath.Join(base, "r"))
	require.NoError(t, err)
	assert.Empty(t, r.Files)
	fill(true)
	r, err = ReadRecord(filepath.Join(base, "r"))
	require.NoError(t, err)
	assert.Len(t, r.Files, 1)
}

// killedVariable makes TestKill's own process the one that is killed.
const killedVariable = "FAULTS_TEST_KILLED"

// The process ends by SIGKILL where the rule says, with the operation done or
// not, and what the library did after the sync taken back.
func TestKill(t *testing.T) {
	if root := os.Getenv(killedVariable); root != "" {
		beKilled(t, root)
		return
	}
	for _, c := range []struct {
		rule   Rule
		exists map[string]bool
	}{
		{Rule{Op: "create", Nth: 1, Do: Kill}, map[string]bool{"a": false, "next": false}},
		{Rule{Op: "create", Nth: 1, Do: KillAfter}, map[string]bool{"a": true, "next": false}},
		{Rule{Op: "fill", Do: Kill}, map[string]bool{"a": true, "01": true, "next": false}},
		{Rule{Op: "append", Do: KillAfter}, map[string]bool{"01": true, "next": false}},
		{Rule{Op: "remove", Do: Kill}, map[string]bool{"a": true, "01": true, "next": true}},
	} {
		base := t.TempDir()
		root := filepath.Join(base, "d")
		require.NoError(t, os.Mkdir(root, 0o700))
		command := exec.Command(os.Args[0], "-test.run", "^TestKill$")
		plan := `{"root":"` + root + `","record":"` + filepath.Join(base, "r") + `","rules":[{"op":"` + c.rule.Op + `","do":"` + string(c.rule.Do) + `"}]}`
		command.Env = append(os.Environ(), killedVariable+"="+root, Environment+"="+plan)
		out, err := command.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%s", out)
		assert.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "%s", out)
		for name, want := range c.exists {
			_, err := os.Stat(filepath.Join(root, name))
			assert.Equal(t, want, err == nil, "%+v: %s", c.rule, name)
		}
		r, err := ReadRecord(filepath.Join(base, "r"))
		require.NoError(t, err)
		assert.Len(t, r.Acts, 1)
	}
}

func beKilled(t *testing.T, root string) {
	i := FromEnvironment()
	touch := func(name string) func() error {
		return func() error { return os.WriteFile(filepath.Join(root, name), nil, 0o600) }
	}
	require.NoError(t, i.Do("create", filepath.Join(root, "a"), touch("a")))
	require.NoError(t, i.Append(filepath.Join(root, "01"), func() error { return errors.Join(touch("01")(), touch("next")()) },
		func() (bool, error) { return true, nil }, func() error { return os.Remove(filepath.Join(root, "next")) }))
	require.NoError(t, i.Do("remove", filepath.Join(root, "a"), func() error { return nil }))
}
