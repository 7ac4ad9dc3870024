package cluster

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
	"holdfast/kernel/replica"
	"holdfast/transport"
)

// refused starts what must not come up, and gives the error.
func refused(t *testing.T, cfg Config) error {
	t.Helper()
	m, err := Start(context.Background(), cfg)
	if err == nil {
		require.NoError(t, m.Close())
	}
	require.Error(t, err)
	require.NotContains(t, err.Error(), "%!", "a message that was put together wrongly")
	require.NotContains(t, err.Error(), "\n", "a message of more than one line")
	return err
}

// A directory that holds somebody else's file is left as it is.
func TestForeignDirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "letters.txt"), nil, 0o600))
	err := refused(t, config(t, transport.NewMemory().Host("n1"), dir, "n1:2380"))
	require.ErrorIs(t, err, ErrForeignDirectory)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, `"letters.txt"`)
	require.Equal(t, []string{"letters.txt"}, files(t, dir))
}

func TestDataDirIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	err := refused(t, config(t, transport.NewMemory().Host("n1"), file, "n1:2380"))
	require.ErrorContains(t, err, file)
	require.ErrorContains(t, err, "give --data-dir a directory")
}

// A new data directory may lie in directories that are not there either.
func TestDataDirIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "data")
	m := start(t, config(t, transport.NewMemory().Host("n1"), dir, "n1:2380"))
	require.Equal(t, kernel.StoreIndex(4), put(t, m.Member, "/a", "1").Event.Index)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "the store is its user's alone")
}

// A member that has a log at its peers and none on its disk is refused, as
// often as it tries, and leaves nothing behind that would let it in later. The
// reason: it may have voted in the present term.
func TestWipedMember(t *testing.T) {
	c := newTrio(t)
	members := []*running{nil, c.start(1), c.start(2), c.start(3)}
	published(t, members[1], "n1", "n2", "n3")
	published(t, members[2], "n1", "n2", "n3")
	members[3].end(t)
	require.NoError(t, os.RemoveAll(filepath.Join(c.data(3), raftDir)))
	for range 2 {
		err := refused(t, c.config(3))
		require.ErrorIs(t, err, ErrBootstrapped)
		require.ErrorContains(t, err, "run 'holdfast member remove "+formatID(members[3].ID())+"', then add it again")
		require.Empty(t, files(t, filepath.Join(c.data(3), raftDir)))
	}
	// Neither does the other way to start a member let it in.
	cfg := c.config(3)
	cfg.Existing = true
	require.ErrorIs(t, refused(t, cfg), ErrBootstrapped)
	require.Empty(t, files(t, filepath.Join(c.data(3), raftDir)))

	// One peer that knows it is enough.
	members[1].end(t)
	require.ErrorIs(t, refused(t, c.config(3)), ErrBootstrapped)
}

// After a power cut of all, with one disk lost: the first peer to come back has
// its log but knows nothing of what is committed in it, and must not be taken
// for one that does not know the wiped member.
func TestWipedMemberWhenAllRestart(t *testing.T) {
	c := newTrio(t)
	members := []*running{nil, c.start(1), c.start(2), c.start(3)}
	published(t, members[1], "n1", "n2", "n3")
	for _, m := range members[1:] {
		m.end(t)
	}
	require.NoError(t, os.RemoveAll(filepath.Join(c.data(3), raftDir)))
	first := c.start(1)
	cfg := c.config(3)
	cfg.AskFor = 100 * time.Millisecond
	require.ErrorIs(t, refused(t, cfg), ErrUnsure)
	second := c.start(2)
	published(t, first, "n1", "n2", "n3")
	require.ErrorIs(t, refused(t, c.config(3)), ErrBootstrapped)
	second.end(t)
}

// A log, or the identity, that is lost by itself is no fresh start either.
func TestLostHalf(t *testing.T) {
	for _, c := range []struct{ lost, message string }{
		{logDir, "the log that belongs to it, raft/log, is missing"},
		{idFile, "the file is missing beside a log"},
	} {
		nw, dir := transport.NewMemory().Host("n1"), t.TempDir()
		start(t, config(t, nw, dir, "n1:2380")).end(t)
		require.NoError(t, os.RemoveAll(filepath.Join(dir, raftDir, c.lost)))
		for range 2 {
			err := refused(t, config(t, nw, dir, "n1:2380"))
			require.ErrorIs(t, err, ErrDamaged, c.lost)
			require.ErrorContains(t, err, c.message)
			require.NoFileExists(t, filepath.Join(dir, raftDir, c.lost))
		}
	}
}

func TestExistingWithoutPeers(t *testing.T) {
	c := newTrio(t)
	cfg := c.config(3)
	cfg.Existing = true
	err := refused(t, cfg)
	require.ErrorIs(t, err, ErrNotMember)
	require.ErrorContains(t, err, "n1:2380")
	require.ErrorContains(t, err, "n2:2380")
	require.Empty(t, files(t, filepath.Join(c.data(3), raftDir)))

	cfg.Initial = c.initial[2:]
	err = refused(t, cfg)
	require.ErrorIs(t, err, ErrNotMember)
	require.ErrorContains(t, err, "--initial-cluster names no other member to ask")
}

// Peers that were not told of a member turn it away; one they were told of
// gets the id they gave it, and keeps it before it has heard from a leader.
func TestExisting(t *testing.T) {
	memory := transport.NewMemory()
	first := start(t, config(t, memory.Host("n1"), t.TempDir(), "n1:2380"))
	put(t, first.Member, "/a", "1")
	cfg := config(t, memory.Host("n2"), t.TempDir(), "n2:2380")
	cfg.Name, cfg.Existing = "n2", true
	cfg.Initial = []Initial{{"default", "http://n1:2380"}, {"n2", "http://n2:2380"}}
	err := refused(t, cfg)
	require.ErrorIs(t, err, ErrNotMember)
	require.ErrorContains(t, err, "n1:2380 does not know http://n2:2380")

	added := &kernel.Command{Op: kernel.OpMemberAdd, Member: kernel.Member{ID: 0xabc, PeerURLs: []string{"http://other:2380", "http://n2:2380"}}}
	require.NoError(t, first.propose(context.Background(), added))
	second := start(t, cfg)
	require.Equal(t, uint64(0xabc), second.ID())
	require.Equal(t, first.Replica().Status().ClusterID, second.Replica().Status().ClusterID)
	require.Empty(t, second.Replica().Voters(), "it begins no cluster of its own")
	second.end(t)
	first.end(t)
	second = start(t, cfg)
	require.Equal(t, uint64(0xabc), second.ID(), "nobody was there to be asked")
}

func TestDamagedIdentity(t *testing.T) {
	nw, dir := transport.NewMemory().Host("n1"), t.TempDir()
	m := start(t, config(t, nw, dir, "n1:2380"))
	m.end(t)
	path := filepath.Join(dir, raftDir, idFile)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, c := range []struct {
		name, content, message string
		other                  bool // not damage
	}{
		{name: "empty", content: "", message: "unexpected end of JSON input"},
		{name: "half", content: string(good[:len(good)/2]), message: "unexpected end of JSON input"},
		{name: "no JSON", content: "id", message: "invalid character"},
		{name: "other JSON", content: `{"version":1,"member_id":7}`, message: "member_id"},
		{name: "no version", content: `{}`, message: "version 0 is not known; run the holdfast that wrote it", other: true},
		{name: "newer", content: `{"version":2,"member_id":7}`, message: "version 2 is not known; run the holdfast that wrote it", other: true},
		{name: "no ids", content: `{"version":1}`, message: `member_id: "" is no id`},
		{name: "zero", content: `{"version":1,"member_id":"0000000000000000","cluster_id":"1"}`, message: `member_id: "0000000000000000" is no id`},
		{name: "zero cluster", content: `{"version":1,"member_id":"1","cluster_id":"0"}`, message: `cluster_id: "0" is no id`},
		{name: "half an id", content: `{"version":1,"member_id":"12xyz","cluster_id":"1"}`, message: `member_id: "12xyz" is no id`},
		{name: "zero voter", content: `{"version":1,"member_id":"1","cluster_id":"1","voters":[{"member_id":"0","addr":"a:1"}]}`, message: `voters: "0" is no id`},
		{name: "large", content: string(make([]byte, maxIdentityBytes+1)), message: "65537 bytes long, at most 65536 are possible"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			err := refused(t, config(t, nw, dir, "n1:2380"))
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, c.message)
			if !c.other {
				require.ErrorIs(t, err, ErrDamaged)
				require.ErrorContains(t, err, remedyID)
			}
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, c.content, string(kept), "it is left for people to look at")
		})
	}
	require.NoError(t, os.WriteFile(path, good, 0o600))
	require.Equal(t, m.ID(), start(t, config(t, nw, dir, "n1:2380")).ID())
}

// FuzzIdentity: whatever lies in raft/id is read or refused, and what is read
// is a member.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte(`{"version":1,"member_id":"1f","cluster_id":"2","voters":[{"member_id":"1f","addr":"a:1"}],"started":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := decodeIdentity("id", b)
		if err != nil {
			return
		}
		require.NotZero(t, id.Member)
		require.NotZero(t, id.Cluster)
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, raftDir), 0o700))
		require.NoError(t, saveIdentity(dir, id))
		again, err := readIdentity(filepath.Join(dir, raftDir, idFile))
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}

// A peer port that is taken is said to be so; when it is free again the same
// directory makes the cluster that it was to make, flags corrected on the way.
func TestTakenPeerPort(t *testing.T) {
	nw, dir := transport.NewMemory().Host("n1"), t.TempDir()
	taken, err := nw.Listen("n1:2380")
	require.NoError(t, err)
	err = refused(t, config(t, nw, dir, "n1:2380"))
	require.ErrorIs(t, err, transport.ErrAddrInUse)
	require.ErrorContains(t, err, "peer port: ")
	require.ErrorContains(t, err, "choose another with --listen-peer-urls")
	require.NoError(t, taken.Close())
	m := start(t, config(t, nw, dir, "n1:2380"))
	require.Equal(t, kernel.StoreIndex(4), put(t, m.Member, "/a", "1").Event.Index)
}

func TestBadConfig(t *testing.T) {
	nw, dir := transport.NewMemory().Host("n1"), filepath.Join(t.TempDir(), "data")
	long := string(make([]byte, kernel.MaxURLBytes+1))
	for message, change := range map[string]func(*Config){
		"no host and port; write it as http://host:2380":        func(c *Config) { c.PeerURL = "n1" },
		"http://n1:2380, this member's peer URL, is not listed": func(c *Config) { c.Initial = []Initial{{"n2", "http://n2:2380"}} },
		`peer URL: "n2": no host and port`:                      func(c *Config) { c.Initial = append(c.Initial, Initial{"n2", "n2"}) },
		"shorten the name or the URLs":                          func(c *Config) { c.ClientURLs = []string{long} },
	} {
		cfg := config(t, nw, dir, "n1:2380")
		cfg.Initial = []Initial{{"default", "http://n1:2380"}}
		change(&cfg)
		require.ErrorContains(t, refused(t, cfg), message)
		require.NoFileExists(t, filepath.Join(dir, raftDir, idFile))
	}
}

// A start that ended before the log was surely begun is done again by the
// next one: with the flags of that one if there is no log yet, else with those
// that the log was to begin with.
func TestStartCutShort(t *testing.T) {
	nw := transport.NewMemory().Host("n1")
	old := memberID("http://old:2380", "t")
	cut := identity{Member: old, Cluster: clusterID([]uint64{old})}
	for _, log := range []bool{false, true} {
		dir := t.TempDir()
		require.NoError(t, prepare(dir))
		id := cut
		if log {
			id.Voters = append(id.Voters, replica.Peer{ID: old, Addr: "n1:2380"})
			require.NoError(t, os.Mkdir(filepath.Join(dir, raftDir, logDir), 0o700))
		}
		require.NoError(t, saveIdentity(dir, id))
		m := start(t, config(t, nw, dir, "n1:2380"))
		require.Equal(t, log, m.ID() == old)
		require.Equal(t, kernel.StoreIndex(4), put(t, m.Member, "/a", "1").Event.Index)
		m.end(t)
		id, known, err := loadIdentity(dir)
		require.NoError(t, err)
		require.True(t, known && id.Started)
		require.Equal(t, m.ID(), id.Member)
	}
}

// Start does not wait for ever for a peer that takes a question and is silent.
func TestSilentPeer(t *testing.T) {
	c := newTrio(t)
	silent, err := c.memory.Host("n2").Listen("n2:2380")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = replica.Ask(ctx, c.memory.Host("n1"), "n2:2380")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, silent.Close())
}
