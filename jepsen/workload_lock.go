package jepsen

import "time"

const (
	// minLockTTL and maxLockTTL bound the life of a lock, in seconds.
	minLockTTL = 2
	maxLockTTL = 4
	// lockPause is the longest that a client waits between two tries.
	lockPause = 500 * time.Millisecond
)

// lockHolder is a client's hold of a lock: of the key name/holder, which is there
// while somebody holds the lock. What the lock guards is the key name/data.
type lockHolder struct {
	*session
	holder, data string
	mine         string // the value by which the holder's key is this client's
	ttl          int64
	// token is the index at which the holder's key was made: the fencing token.
	// Later holders have higher ones.
	token   uint64
	renewed int64 // when the last call began that made the lock live on
	at      uint64
	held    uint64 // the store index at which another was seen to hold the lock
}

// workLock acquires a lock by creating a key that does not live long, works on
// what it guards while renewing it, and releases it. Who does not get it tries
// again after a while, or when it sees the lock released. Some holders stall until
// the lock has expired and then go on, as a paused process would. The fence
// stops them: work is a swap on the condition of the data's index, and a holder
// begins only if that index is below its token.
func workLock(s *session) {
	for s.next() {
		name := pick(s, s.names)
		l := &lockHolder{session: s, holder: name + "/holder", data: name + "/data", ttl: minLockTTL + s.rng.Int64N(maxLockTTL-minLockTTL+1)}
		if l.acquire() {
			l.hold()
		} else {
			l.await()
		}
	}
}

func (l *lockHolder) acquire() bool {
	l.mine, l.renewed = l.fresh(), l.env.Now()
	o := l.do(Operation{Op: Create, Key: l.holder, Arg: l.mine, TTL: l.ttl})
	switch {
	case o.Outcome == OK:
		l.token = o.ModifiedIndex
	case o.ErrorCode == codeNodeExist:
		l.held = o.EtcdIndex
	case o.Outcome == Unknown || l.oneIn(3): // perhaps it is ours after all
		if o = l.do(Operation{Op: Read, Key: l.holder}); o.Outcome == OK && o.Result == l.mine {
			l.token = o.CreatedIndex
		}
	}
	return l.token != 0
}

// await lets some time pass, or lets the lock become free.
func (l *lockHolder) await() {
	if l.held == 0 || l.oneIn(3) {
		l.sleep(time.Duration(l.rng.Int64N(int64(lockPause))))
		return
	}
	l.do(Operation{Op: Watch, Key: l.holder, WaitIndex: l.held + 1})
}

// hold works for a while, then releases the lock, if it has not been lost.
func (l *lockHolder) hold() {
	o := l.do(Operation{Op: Read, Key: l.data})
	l.at = o.ModifiedIndex // 0: it was never written
	if o.Outcome == OK && l.at < l.token {
		for range 2 + l.rng.IntN(6) {
			if !l.next() || !l.step() {
				break
			}
		}
	}
	l.do(Operation{Op: CAD, Key: l.holder, Prev: l.mine})
}

// step is one of what a holder does; no if it has learned that it lost the
// lock, or cannot tell.
func (l *lockHolder) step() bool {
	switch p := l.rng.IntN(100); {
	case p < 25:
		return l.renew()
	case p < 32:
		return l.sleep(time.Duration(l.ttl)*time.Second + time.Duration(l.rng.Int64N(int64(time.Second))))
	}
	return l.work()
}

// renew is for a lock that surely has not expired: a refresh has no condition
// and would renew another's.
func (l *lockHolder) renew() bool {
	now := l.env.Now()
	if now-l.renewed > l.ttl*int64(time.Second)/2 {
		return true
	}
	o := l.do(Operation{Op: Refresh, Key: l.holder, TTL: l.ttl})
	if o.Outcome == OK {
		l.renewed = now
	}
	return o.Outcome != Fail && (o.Outcome == Unknown || o.Result == l.mine)
}

// work changes the data, if nobody has since this client last saw it.
func (l *lockHolder) work() bool {
	o := Operation{Op: CAS, Key: l.data, PrevIndex: l.at, Arg: l.fresh()}
	if l.at == 0 {
		o.Op = Create
	}
	o = l.do(o)
	l.at = o.ModifiedIndex
	return o.Outcome == OK
}
