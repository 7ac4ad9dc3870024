package versus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/jepsen"
)

const (
	// valueBytes is the size of every value.
	valueBytes = 256
	// keysPerDir is how many keys lie in a directory.
	keysPerDir = 1000
	// loaders is how many clients load a store.
	loaders = 128
	// txnLoaders is how many of them write transactions.
	txnLoaders = 8
	// putsPerTxn is how many puts go into one transaction, etcd's default limit.
	putsPerTxn = 128
	// lastSingly is how many keys, the last ones, are put one by one into etcd.
	// etcd keeps the last 5,000 to 15,000 entries of its log in memory by
	// default. Transactions of 128 keys would be there as nobody writes them,
	// hundreds of megabytes that are not the keys' own.
	lastSingly = 30_000
	// loadTime bounds one write of the loading.
	loadTime = 30 * time.Second
)

// keyAt and valueAt give key i and its value, which differ from all others.
func keyAt(i int) string { return fmt.Sprintf("/versus/%05d/%08d", i/keysPerDir, i) }

func valueAt(i int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	b := make([]byte, valueBytes)
	x := uint64(i) + 1
	for n := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[n] = letters[x%uint64(len(letters))]
	}
	return string(b)
}

// share lets workers carry out tasks 0 to n-1 and stops at the first error.
func share(ctx context.Context, workers, n int, start func() (work func(ctx context.Context, i int) error, end func())) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		work, end := start()
		wg.Go(func() {
			defer end()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := work(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// load puts the keys one by one: there are no transactions.
func (a *v2) load(ctx context.Context, endpoint string, keys int) error {
	begin := time.Now()
	return share(ctx, loaders, keys, func() (func(context.Context, int) error, func()) {
		c := &jepsen.Client{Endpoint: endpoint, Timeout: loadTime, Now: func() int64 { return int64(time.Since(begin)) }}
		work := func(ctx context.Context, i int) error {
			o := c.Do(ctx, jepsen.Operation{Op: jepsen.Write, Key: keyAt(i), Arg: valueAt(i)})
			if o.Outcome != jepsen.OK {
				return fmt.Errorf("load %s: %s: %s", o.Key, o.Outcome, o.Error)
			}
			return nil
		}
		return work, c.Close
	})
}

// load puts the keys in transactions, and the last ones one by one.
func (a *v3) load(ctx context.Context, endpoint string, keys int) error {
	singly := min(keys, a.singly)
	bulk := keys - singly
	err := share(ctx, txnLoaders, (bulk+putsPerTxn-1)/putsPerTxn, func() (func(context.Context, int) error, func()) {
		return func(ctx context.Context, i int) error {
			var puts [][]byte
			for k := i * putsPerTxn; k < min((i+1)*putsPerTxn, bulk); k++ {
				puts = append(puts, putRequest(keyAt(k), valueAt(k)))
			}
			ctx, cancel := context.WithTimeout(ctx, loadTime)
			defer cancel()
			return a.putAll(ctx, endpoint, puts)
		}, func() {}
	})
	return errors.Join(err, share(ctx, loaders, singly, func() (func(context.Context, int) error, func()) {
		return func(ctx context.Context, i int) error {
			ctx, cancel := context.WithTimeout(ctx, loadTime)
			defer cancel()
			return a.put(ctx, endpoint, keyAt(bulk+i), valueAt(bulk+i))
		}, func() {}
	}))
}
