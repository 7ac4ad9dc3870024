package kernel

import (
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/btree"
)

// State is the state machine. It is not safe for concurrent use: whoever owns
// it applies entries one after another, and hands views to others.
type State struct {
	tree      tree
	deadlines *btree.BTreeG[deadline] // of every node with a time to live
	ring      *ring
	clock     clock

	index   StoreIndex // of the last mutation
	applied LogIndex   // of the last entry
	history uint64     // HistoryHash

	settings Settings
	members  []Member // by id; replaced, never changed, so that views may share it
	removed  []uint64 // ids of removed members, the last removed last; only appended to, for the same reason
	lastUID  uint64   // given to a member
	version  string

	stats    Stats
	digest   xxhash.Digest
	commands []Command // memory for those of an entry
}

// Settings are the replicated settings. A flag may seed one when a cluster is
// made; from then on the log decides.
type Settings struct {
	// HistoryEvents is the length of the event ring.
	HistoryEvents int
}

// SettingHistoryEvents names Settings.HistoryEvents in an OpSetting command.
const SettingHistoryEvents = "history-events"

// New makes the state of a new cluster: nothing in it, store index 0.
func New() *State {
	return &State{
		tree:      newTree(),
		deadlines: newDeadlines(),
		ring:      newRing(DefaultHistoryEvents, 1),
		settings:  Settings{HistoryEvents: DefaultHistoryEvents},
	}
}

// Index is the store index: how many mutations there have been.
func (s *State) Index() StoreIndex { return s.index }

// Applied is the log index of the last entry applied.
func (s *State) Applied() LogIndex { return s.applied }

// Session is the clock session that is open, and the zero Session before any.
func (s *State) Session() Session { return s.clock.session }

// Now is cluster time.
func (s *State) Now() Time { return s.clock.now }

// HistoryHash digests every entry applied so far with its log index and its
// results. Members that applied the same log have the same hash at the same
// log index; it is kept in snapshots.
func (s *State) HistoryHash() uint64 { return s.history }

// Settings gives the replicated settings.
func (s *State) Settings() Settings { return s.settings }

// Members gives the members by id. The slice is shared: do not change it.
func (s *State) Members() []Member { return s.members }

// ClusterVersion is what OpClusterVersion set, and "" before.
func (s *State) ClusterVersion() string { return s.version }

// NextDeadline is the cluster time at which the next node expires, if any
// node has a time to live.
func (s *State) NextDeadline() (Time, bool) {
	d, ok := s.deadlines.Min()
	return d.at, ok
}

// deadlines order by time, then by path, so that all members expire alike.
type deadline struct {
	at   Time
	path string
}

func newDeadlines() *btree.BTreeG[deadline] {
	return btree.NewBTreeGOptions(func(a, b deadline) bool {
		return a.at < b.at || a.at == b.at && a.path < b.path
	}, btree.Options{NoLocks: true})
}

func (s *State) memberAt(id uint64) (int, bool) {
	return slices.BinarySearchFunc(s.members, id, func(m Member, id uint64) int {
		switch {
		case m.ID < id:
			return -1
		case m.ID > id:
			return 1
		}
		return 0
	})
}

// Member finds a member by id.
func (s *State) Member(id uint64) (Member, bool) {
	i, ok := s.memberAt(id)
	if !ok {
		return Member{}, false
	}
	return s.members[i], true
}
