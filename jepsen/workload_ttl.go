package jepsen

import (
	"fmt"
	"time"
)

var ttlKinds = []chosen{
	{Write, 24}, {Create, 12}, {Refresh, 18}, {Update, 6}, {Delete, 4}, {MakeDir, 6}, {RemoveAll, 2},
	{Read, 16}, {LocalRead, 6}, {List, 6},
}

// How far a client misses the moment at which a key should expire, before and
// after.
const (
	tooEarly = 300 * time.Millisecond
	tooLate  = 900 * time.Millisecond
)

// workTTL gives keys and a directory times to live, renews some and lets others
// run out; who waits for a key to expire then looks for it at every member.
func workTTL(s *session) {
	own := fmt.Sprintf("%s/p%d", s.root, s.client.Process)
	for s.next() {
		if s.oneIn(12) {
			s.letExpire(own)
			continue
		}
		o := Operation{Op: s.choose(ttlKinds), Key: pick(s, s.names)}
		switch o.Op {
		case Write, Create:
			if s.oneIn(5) {
				o.Key = s.root + "/d/k"
			}
			o.TTL = s.lifetime()
		case Refresh:
			if s.oneIn(4) {
				o.Key = s.root + "/d"
			}
			o.TTL = s.lifetime()
		case MakeDir:
			o.Key, o.TTL = s.root+"/d", s.lifetime()
		case RemoveAll:
			o.Key = s.root + "/d"
		case Update: // for ever, unless it says otherwise
			if s.oneIn(2) {
				o.TTL = s.lifetime()
			}
		case List:
			o.Key = s.root
		}
		if writes(o.Op) {
			o.Arg = s.fresh()
		}
		s.do(o)
	}
}

// lifetime draws a time to live, in seconds.
func (s *session) lifetime() int64 { return 1 + s.rng.Int64N(6) }

// letExpire writes a key that nobody else touches, perhaps renews it, and looks
// for it about when it should be gone.
func (s *session) letExpire(key string) {
	o := s.do(Operation{Op: Write, Key: key, Arg: s.fresh(), TTL: 1 + s.rng.Int64N(3)})
	if s.oneIn(3) {
		if !s.sleep(time.Duration(s.rng.Int64N(o.TTL * int64(time.Second)))) {
			return
		}
		o = s.do(Operation{Op: Refresh, Key: key, TTL: 1 + s.rng.Int64N(3)})
	}
	wait := time.Duration(o.TTL)*time.Second - tooEarly + time.Duration(s.rng.Int64N(int64(tooEarly+tooLate)))
	if !s.sleep(wait) {
		return
	}
	k := Read
	if s.oneIn(3) {
		k = LocalRead
	}
	s.everywhere(k, key)
}
