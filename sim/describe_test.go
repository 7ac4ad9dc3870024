package sim

import (
	"bytes"
	"strings"
	"testing"

	"holdfast/jepsen"

	"github.com/stretchr/testify/assert"
)

// All that the host knows of each member is told: of one that runs, of one that is down and lost, and of the clients' machine.
func TestDescribe(t *testing.T) {
	var out bytes.Buffer
	rec := &Recording{}
	w := &world{now: 2e9, timeline: &timeline{w: &out}, trace: plain(), recording: rec}
	members := []*machine{w.add(&machine{name: "m1", ip: "10.0.0.1"}), w.add(&machine{name: "m2", ip: "10.0.0.2"})}
	rec.begin(members)
	client := w.add(&machine{name: "c1", ip: "10.0.1.1", endsItself: true})
	w.net = newNetwork(w, 3)
	m1, m2 := members[0], members[1]

	m1.incarnation, m1.clock = 2, clock{wallNanos: 5_000_000}
	m1.proc = &process{m: m1, local: 1_999_999_000}
	m1.proc.sockets.init()
	m1.proc.sockets.add(m1.proc, &socket{state: listening, port: 2380})
	m1.proc.sockets.add(m1.proc, &socket{state: established, inbox: []byte("unread")})
	m1.cond = health{syncFactor: 7, pausedUntil: 3e9, aim: &aim{path: stableFiles, calls: 4}}
	w.net.conditions[0][1] = condition{Cut: true, ExtraNanos: 5}
	m2.incarnation, m2.cond = 1, health{lost: wiped, dark: true, downUntil: 4e9}
	client.incarnation = 1

	w.roles = []jepsen.Role{{Member: "m1", Life: 2, At: 1_500_000_000, State: "leader", Term: 3}, {Member: "m2", Life: 1, At: 1e9, State: "follower", Term: 2}}
	w.commits = []jepsen.Commit{{Member: "m1", Life: 1, At: 1_200_000_000, LogIndex: 41, Term: 2, StoreIndex: 30, Hash: 0xbeef}}
	w.votes = []jepsen.Vote{{Member: "m1", Life: 2, At: 1_400_000_000, Term: 3, Candidate: "10.0.0.1:2380"}}
	rec.heard[0].sent(&Frame{Kind: FrameAppend, Term: 3, Index: 41, Entries: 2, Commit: 40}, 1_900_000_000)
	rec.heard[1].received(&Frame{Kind: FrameAppend, Term: 3, Index: 41, Entries: 2, Commit: 40}, 1_950_000_000)
	w.describe()
	assert.Equal(t, strings.TrimPrefix(`
    2.000000  m1    stands      incarnation 2, own time 1.999999000 s, wall clock 5ms off, 2 sockets: 1 listening, 0 connecting, 1 established, 0 broken; 6 bytes unread
    2.000000  m1    condition   paused until 3.000000 s; fsync takes 7 times longer; dies 4 host calls after it works on /stable/
    2.000000  m1    role        leader of term 3 since 1.500000 s
    2.000000  m1    applied     log index 41 of term 2, X-Etcd-Index 30, history hash 000000000000beef, at 1.200000 s, in incarnation 1
    2.000000  m1    log         commit index 40, last index 43, term 3, as told and heard by 1.900000 s
    2.000000  m1    vote        for m1 in term 3, at 1.400000 s
    2.000000  m1    link        to m2: cut, slow
    2.000000  m2    stands      down, after incarnation 1, until 4.000000 s
    2.000000  m2    condition   without power; lost: a wiped disk
    2.000000  m2    role        follower of term 2 since 1.000000 s, in incarnation 1
    2.000000  m2    log         commit index 40, last index 0, term 0, as told and heard by 1.950000 s
    2.000000  c1    stands      down, after incarnation 1
`, "\n"), out.String())
}
