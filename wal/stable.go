package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

var _ raft.StableStore = (*Stable)(nil)

// stableFile is the one file of a Stable.
const stableFile = "stable"

// The two halves of a vote, as raft calls them.
const (
	keyLastVoteTerm = "LastVoteTerm"
	keyLastVoteCand = "LastVoteCand"
)

// Stable keeps raft's term and vote: a raft.StableStore. All keys are one
// checksummed record in one file that is replaced as a whole, so that each state
// a power cut can leave is one that was written.
//
// There is no second generation to fall back to: an older record is an older
// vote, and a member that forgets its vote may cast it twice. A record that
// cannot be read is therefore refused.
type Stable struct {
	path     string
	deadline time.Duration // for a write
	torn     bool

	mu     sync.Mutex
	gen    uint64            // counts the records written
	values map[string][]byte // as on disk
	// pendingVoteTerm is a LastVoteTerm that waits for its LastVoteCand. raft
	// writes the two one after the other. Were the first durable alone, a
	// crash would leave the new term with the candidate of an older vote, and
	// raft would grant that candidate the term without looking at its log.
	pendingVoteTerm []byte
	broken          error
}

// OpenStable opens the record in dir, making both if there is none. A damaged
// one is refused with a *Fault (ErrCorrupt). A write that has not ended within
// DefaultSyncDeadline, here or later, counts as failed: raft waits for it, and
// neither it nor an operator would hear of a disk that hangs.
func OpenStable(dir string) (*Stable, error) { return loadStable(dir, DefaultSyncDeadline) }

func loadStable(dir string, deadline time.Duration) (*Stable, error) {
	if err := mkdirDurable(dir); err != nil {
		return nil, fmt.Errorf("open stable store: %w", err)
	}
	s := &Stable{path: filepath.Join(dir, stableFile), deadline: deadline}
	left, err := removeTmp(s.path)
	if err != nil {
		return nil, fmt.Errorf("open stable store: %w", err)
	}
	s.torn = left
	rec, err := readStable(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open stable store: %w", err)
	}
	s.gen, s.values = rec.gen, rec.values
	// What was read may be the work of a process killed before its last sync,
	// and raft is about to act on it. Written again, it is durable.
	if err := s.put(maps.Clone(s.values)); err != nil {
		return nil, fmt.Errorf("open stable store: %w", err)
	}
	return s, nil
}

// Torn tells whether the remains of a record that was being written were found
// when the store was opened. What they were to replace stands.
func (s *Stable) Torn() bool { return s.torn }

// Set stores a value durably; the vote as described at Stable. An error other
// than ErrTooLarge leaves the outcome unknown and the store unusable.
func (s *Stable) Set(key, val []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if len(key) > MaxStableKeyBytes || len(val) > MaxStableValueBytes {
		return fmt.Errorf("set %.32q: %w; a key takes %d bytes, a value %d", key, ErrTooLarge, MaxStableKeyBytes, MaxStableValueBytes)
	}
	name := string(key)
	if name == keyLastVoteTerm {
		s.pendingVoteTerm = append([]byte{}, val...)
		return nil
	}
	values := maps.Clone(s.values)
	values[name] = append([]byte{}, val...)
	if name == keyLastVoteCand && s.pendingVoteTerm != nil {
		values[keyLastVoteTerm] = s.pendingVoteTerm
	}
	if len(values) > MaxStableKeys {
		return fmt.Errorf("set %.32q: %w; the store takes %d keys", key, ErrTooLarge, MaxStableKeys)
	}
	if name == keyLastVoteCand {
		s.pendingVoteTerm = nil
	}
	if sameValues(values, s.values) {
		return nil // durable already: raft sets its term again at each start
	}
	if err := s.put(values); err != nil {
		s.broken = fmt.Errorf("%w: %w; the outcome is unknown, restart the process", ErrPoisoned, err)
	}
	return s.broken
}

// Get returns the durable value of a key, or ErrNotFound. It must not be changed.
func (s *Stable) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	val, ok := s.values[string(key)]
	if !ok {
		return nil, ErrNotFound
	}
	return val, nil
}

// SetUint64 is Set for a number.
func (s *Stable) SetUint64(key []byte, val uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, val))
}

// GetUint64 returns the durable number of a key; 0 and ErrNotFound if there is
// none.
func (s *Stable) GetUint64(key []byte) (uint64, error) {
	val, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(val) != 8 {
		return 0, fmt.Errorf("get %.32q: value of %d bytes is no number", key, len(val))
	}
	return be64(val), nil
}

// put writes under the deadline. After an error, that of a write that hangs
// included, the store must not be used: the write goes on by itself.
func (s *Stable) put(values map[string][]byte) error {
	err := within(s.deadline, func() error { return s.write(values) })
	if errors.Is(err, ErrHangs) {
		err = fmt.Errorf("write stable record: %s: %w", s.path, err)
	}
	return err
}

func (s *Stable) write(values map[string][]byte) error {
	rec := stableRecord{gen: s.gen + 1, values: values}
	if err := replaceFile(s.path, rec.encode()); err != nil {
		return fmt.Errorf("write stable record: %w", err)
	}
	s.gen, s.values = rec.gen, values
	return nil
}

func sameValues(a, b map[string][]byte) bool {
	return maps.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}
