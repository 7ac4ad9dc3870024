package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/kernel"
	"holdfast/transport"
)

// Every test closes what it starts: nothing of a member may outlive its Close.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit is how long a test waits for what must come.
const limit = 30 * time.Second

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(2 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "%s: not in time", what)
	}
}

// start starts a member that must come up, to be closed by the test or after it.
func start(t *testing.T, cfg Config) *running {
	t.Helper()
	m, err := Start(context.Background(), cfg)
	require.NoError(t, err)
	r := &running{Member: m}
	t.Cleanup(func() { r.end(t) })
	return r
}

type running struct {
	*Member
	once sync.Once
}

func (r *running) end(t *testing.T) {
	t.Helper()
	r.once.Do(func() { require.NoError(t, r.Close()) })
}

// single is the configuration of a member alone, its log lines kept.
func single(t *testing.T, nw transport.Network, dir string) (Config, *lines) {
	cfg := config(t, nw, dir, "n1:2380")
	kept := &lines{}
	cfg.Log = io.MultiWriter(os.Stderr, kept)
	return cfg, kept
}

// lines keeps what a member logs.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) contain(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}

// trio is the configuration of a static cluster of three, in one process.
type trio struct {
	t       *testing.T
	memory  *transport.Memory
	dir     string
	initial []Initial
}

func newTrio(t *testing.T) *trio {
	c := &trio{t: t, memory: transport.NewMemory(), dir: t.TempDir()}
	for i := 1; i <= 3; i++ {
		c.initial = append(c.initial, Initial{fmt.Sprintf("n%d", i), fmt.Sprintf("http://n%d:2380", i)})
	}
	return c
}

// config is that of member i, from 1.
func (c *trio) config(i int) Config {
	name := fmt.Sprintf("n%d", i)
	cfg := config(c.t, c.memory.Host(name), c.data(i), name+":2380")
	cfg.Name, cfg.Initial, cfg.ClientURLs = name, c.initial, []string{"http://" + name + ":2379"}
	cfg.Replica.ElectionTimeout = 250 * time.Millisecond
	return cfg
}

func (c *trio) data(i int) string { return filepath.Join(c.dir, fmt.Sprint(i)) }

func (c *trio) start(i int) *running { return start(c.t, c.config(i)) }

// published waits until a member has applied all that three members publish.
func published(t *testing.T, m *running, names ...string) {
	t.Helper()
	eventually(t, "published", func() bool {
		members, version, _ := m.Replica().Cluster()
		known := 0
		for _, k := range members {
			if k.Name != "" && len(k.ClientURLs) > 0 {
				known++
			}
		}
		return version != "" && known == len(names)
	})
	members, version, _ := m.Replica().Cluster()
	require.Equal(t, apiVersion, version)
	byName := map[string]kernel.Member{}
	for _, k := range members {
		byName[k.Name] = k
	}
	for _, name := range names {
		k := byName[name]
		require.Equal(t, memberID("http://"+name+":2380", "t"), k.ID, name)
		require.Equal(t, []string{"http://" + name + ":2380"}, k.PeerURLs, name)
		require.Equal(t, []string{"http://" + name + ":2379"}, k.ClientURLs, name)
	}
}

// files lists what lies under a directory, by path.
func files(t *testing.T, dir string) (list []string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			list = append(list, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	return list
}
