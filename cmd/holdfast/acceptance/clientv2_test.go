//go:build etcd

package acceptance_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/client/v2"
)

// TestClientV2 drives etcd's own Go client through every operation on keys.
func TestClientV2(t *testing.T) {
	eachServer(t, func(t *testing.T, endpoint, _ string) {
		c, err := client.New(client.Config{Endpoints: []string{endpoint}, HeaderTimeoutPerRequest: patience})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		keys := client.NewKeysAPI(c)
		for _, area := range []struct {
			name string
			test func(*testing.T, context.Context, client.KeysAPI, string)
		}{
			{"set and get", testSetGet}, {"directories", testDirectories}, {"compare", testCompare},
			{"in order", testInOrder}, {"time to live", testTTL}, {"watch", testWatch},
			{"cleared history", testClearedHistory},
		} {
			t.Run(area.name, func(t *testing.T) { area.test(t, ctx, keys, "/"+t.Name()) })
		}
		t.Run("members", func(t *testing.T) { testMembers(t, ctx, c, endpoint) })
	})
}

// assertCode checks that err is the store's refusal with this code.
func assertCode(t *testing.T, code int, err error) {
	t.Helper()
	var refusal client.Error
	if assert.ErrorAs(t, err, &refusal) {
		assert.Equal(t, code, refusal.Code, refusal.Error())
	}
}

func testSetGet(t *testing.T, ctx context.Context, keys client.KeysAPI, dir string) {
	first, err := keys.Set(ctx, dir+"/a", "1", nil)
	require.NoError(t, err)
	assert.Equal(t, "set", first.Action)
	assert.Nil(t, first.PrevNode)
	assert.Equal(t, first.Index, first.Node.ModifiedIndex, "X-Etcd-Index of a write is its own index")

	second, err := keys.Set(ctx, dir+"/a", "2", nil)
	require.NoError(t, err)
	require.NotNil(t, second.PrevNode)
	assert.Equal(t, "1", second.PrevNode.Value)
	assert.Equal(t, first.Node.ModifiedIndex+1, second.Node.ModifiedIndex)

	for _, quorum := range []bool{false, true} {
		got, err := keys.Get(ctx, dir+"/a", &client.GetOptions{Quorum: quorum})
		require.NoError(t, err)
		assert.Equal(t, "2", got.Node.Value)
		assert.GreaterOrEqual(t, got.Index, second.Node.ModifiedIndex)
	}

	_, err = keys.Create(ctx, dir+"/a", "3")
	assertCode(t, client.ErrorCodeNodeExist, err)
	_, err = keys.Update(ctx, dir+"/none", "3")
	assertCode(t, client.ErrorCodeKeyNotFound, err)
	updated, err := keys.Update(ctx, dir+"/a", "3")
	require.NoError(t, err)
	assert.Equal(t, "update", updated.Action)
	assert.Equal(t, second.Node.CreatedIndex, updated.Node.CreatedIndex)

	quiet, err := keys.Set(ctx, dir+"/a", "4", &client.SetOptions{NoValueOnSuccess: true})
	require.NoError(t, err)
	assert.Nil(t, quiet.Node)

	deleted, err := keys.Delete(ctx, dir+"/a", nil)
	require.NoError(t, err)
	assert.Equal(t, "delete", deleted.Action)
	assert.Equal(t, "4", deleted.PrevNode.Value)
	_, err = keys.Get(ctx, dir+"/a", nil)
	assertCode(t, client.ErrorCodeKeyNotFound, err)
}

func testDirectories(t *testing.T, ctx context.Context, keys client.KeysAPI, dir string) {
	made, err := keys.Set(ctx, dir, "", &client.SetOptions{Dir: true, PrevExist: client.PrevNoExist})
	require.NoError(t, err)
	assert.True(t, made.Node.Dir)
	_, err = keys.Set(ctx, dir, "", &client.SetOptions{Dir: true, PrevExist: client.PrevNoExist})
	assertCode(t, client.ErrorCodeNodeExist, err)
	_, err = keys.Set(ctx, dir, "v", nil)
	assertCode(t, client.ErrorCodeNotFile, err)

	for _, name := range []string{"/c/d", "/b", "/a", "/_hidden"} {
		_, err := keys.Set(ctx, dir+name, name, nil)
		require.NoError(t, err)
	}
	_, err = keys.Set(ctx, dir+"/b/x", "v", nil)
	assertCode(t, client.ErrorCodeNotDir, err)

	list, err := keys.Get(ctx, dir, &client.GetOptions{Recursive: true, Sort: true})
	require.NoError(t, err)
	var names []string
	for _, n := range list.Node.Nodes {
		names = append(names, n.Key)
	}
	assert.Equal(t, []string{dir + "/a", dir + "/b", dir + "/c"}, names)
	assert.Equal(t, dir+"/c/d", list.Node.Nodes[2].Nodes[0].Key)

	_, err = keys.Delete(ctx, dir, nil)
	assertCode(t, client.ErrorCodeNotFile, err)
	_, err = keys.Delete(ctx, dir, &client.DeleteOptions{Dir: true})
	assertCode(t, client.ErrorCodeDirNotEmpty, err)
	gone, err := keys.Delete(ctx, dir, &client.DeleteOptions{Recursive: true})
	require.NoError(t, err)
	assert.True(t, gone.Node.Dir)
	_, err = keys.Get(ctx, dir+"/c/d", nil)
	assertCode(t, client.ErrorCodeKeyNotFound, err)
}

func testCompare(t *testing.T, ctx context.Context, keys client.KeysAPI, key string) {
	first, err := keys.Create(ctx, key, "one")
	require.NoError(t, err)
	_, err = keys.Set(ctx, key, "two", &client.SetOptions{PrevValue: "zero"})
	assertCode(t, client.ErrorCodeTestFailed, err)
	swapped, err := keys.Set(ctx, key, "two", &client.SetOptions{PrevValue: "one", PrevIndex: first.Node.ModifiedIndex})
	require.NoError(t, err)
	assert.Equal(t, "compareAndSwap", swapped.Action)
	assert.Equal(t, first.Node.CreatedIndex, swapped.Node.CreatedIndex)

	_, err = keys.Delete(ctx, key, &client.DeleteOptions{PrevIndex: first.Node.ModifiedIndex})
	assertCode(t, client.ErrorCodeTestFailed, err)
	deleted, err := keys.Delete(ctx, key, &client.DeleteOptions{PrevValue: "two"})
	require.NoError(t, err)
	assert.Equal(t, "compareAndDelete", deleted.Action)
}

func testInOrder(t *testing.T, ctx context.Context, keys client.KeysAPI, queue string) {
	var last string
	for range 3 {
		job, err := keys.CreateInOrder(ctx, queue, "job", nil)
		require.NoError(t, err)
		assert.Equal(t, "create", job.Action)
		assert.Equal(t, fmt.Sprintf("%s/%020d", queue, job.Node.CreatedIndex), job.Node.Key)
		assert.Greater(t, job.Node.Key, last)
		last = job.Node.Key
	}
}

func testTTL(t *testing.T, ctx context.Context, keys client.KeysAPI, key string) {
	lease, err := keys.Set(ctx, key, "v", &client.SetOptions{TTL: time.Hour})
	require.NoError(t, err)
	assert.InDelta(t, 3600, lease.Node.TTL, 1)
	require.NotNil(t, lease.Node.Expiration)

	watcher := keys.Watcher(key, &client.WatcherOptions{AfterIndex: lease.Node.ModifiedIndex})
	refreshed, err := keys.Set(ctx, key, "", &client.SetOptions{TTL: time.Second, Refresh: true, PrevExist: client.PrevExist})
	require.NoError(t, err)
	assert.Equal(t, "v", refreshed.Node.Value)
	event, err := watcher.Next(ctx)
	require.NoError(t, err)
	assert.Equal(t, "expire", event.Action, "a refresh wakes nobody")
	assert.Equal(t, "v", event.PrevNode.Value)
	_, err = keys.Get(ctx, key, nil)
	assertCode(t, client.ErrorCodeKeyNotFound, err)
}

func testWatch(t *testing.T, ctx context.Context, keys client.KeysAPI, dir string) {
	first, err := keys.Set(ctx, dir+"/a", "0", nil)
	require.NoError(t, err)
	watcher := keys.Watcher(dir, &client.WatcherOptions{AfterIndex: first.Index, Recursive: true})
	type event struct {
		action, key string
		index       uint64
	}
	var written []event
	for i, step := range []func() (*client.Response, error){
		func() (*client.Response, error) { return keys.Set(ctx, dir+"/a", "1", nil) },
		func() (*client.Response, error) { return keys.Create(ctx, dir+"/b/c", "2") },
		func() (*client.Response, error) {
			return keys.Set(ctx, dir+"/a", "3", &client.SetOptions{PrevValue: "1"})
		},
		func() (*client.Response, error) { return keys.Delete(ctx, dir+"/a", nil) },
		func() (*client.Response, error) {
			return keys.Delete(ctx, dir, &client.DeleteOptions{Recursive: true})
		},
	} {
		response, err := step()
		require.NoError(t, err, "step %d", i)
		written = append(written, event{response.Action, response.Node.Key, response.Node.ModifiedIndex})
	}
	var seen []event
	for range written {
		response, err := watcher.Next(ctx)
		require.NoError(t, err)
		seen = append(seen, event{response.Action, response.Node.Key, response.Node.ModifiedIndex})
	}
	assert.Equal(t, written, seen, "every event once, in order")

	short, cancel := context.WithCancel(ctx)
	cancel()
	_, err = watcher.Next(short)
	assert.ErrorIs(t, err, context.Canceled)
}

// ringEvents is how many events a store keeps by default.
const ringEvents = 1000

func testClearedHistory(t *testing.T, ctx context.Context, keys client.KeysAPI, key string) {
	first, err := keys.Set(ctx, key, "0", nil)
	require.NoError(t, err)
	for i := range ringEvents + 1 {
		_, err := keys.Set(ctx, key, fmt.Sprint(i), &client.SetOptions{NoValueOnSuccess: true})
		require.NoError(t, err)
	}
	_, err = keys.Watcher(key, &client.WatcherOptions{AfterIndex: first.Index}).Next(ctx)
	assertCode(t, client.ErrorCodeEventIndexCleared, err)
}

func testMembers(t *testing.T, ctx context.Context, c client.Client, endpoint string) {
	api := client.NewMembersAPI(c)
	members, err := api.List(ctx)
	require.NoError(t, err)
	require.Len(t, members, 1)
	assert.Equal(t, []string{endpoint}, members[0].ClientURLs)
	leader, err := api.Leader(ctx)
	require.NoError(t, err)
	assert.Equal(t, members[0].ID, leader.ID)
	require.NoError(t, c.Sync(ctx))
	assert.Equal(t, []string{endpoint}, c.Endpoints())
	version, err := c.GetVersion(ctx)
	require.NoError(t, err)
	assert.NotEmpty(t, version.Server)
	assert.NotEmpty(t, version.Cluster)
}
