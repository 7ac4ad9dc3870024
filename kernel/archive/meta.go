package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"holdfast/kernel"
)

// The files of an archive, in their order.
const (
	metaFile  = "meta.json"
	stateFile = "state.bin"
	sumsFile  = "SHA256SUMS"
)

// Limits of what is read whole.
const (
	// MaxMetaBytes bounds meta.json.
	MaxMetaBytes = 64 << 10
	// MaxSumsBytes bounds SHA256SUMS.
	MaxSumsBytes = 4 << 10
)

// version is the form that this build writes.
const version = 1

// ErrDamaged says that bytes are no archive, or no longer a whole one.
var ErrDamaged = errors.New("not an intact snapshot archive")

// Meta says what an archive is of. Its first five fields have the names and
// meanings of Consul's.
type Meta struct {
	// ID is "TERM-INDEX-MILLISECONDS", the last since 1970.
	ID string
	// Size is that of state.bin, in bytes.
	Size int64
	// Index is the last log index in the state, Term the raft term of its last
	// command.
	Index kernel.LogIndex
	Term  uint64
	// Version is the form of the archive: 1.
	Version int
	// StoreIndex is the state's X-Etcd-Index.
	StoreIndex kernel.StoreIndex
	// ClusterID is the id of the cluster, in hex.
	ClusterID string
	// Taken is when, by the clock of the member that was asked, in UTC.
	Taken time.Time
}

// About describes a state that was taken at a time.
func About(state *kernel.Snapshot, term, clusterID uint64, taken time.Time) Meta {
	m := Meta{
		Index: state.Applied(), Term: term, Version: version, StoreIndex: state.Index(),
		ClusterID: strconv.FormatUint(clusterID, 16), Taken: taken.UTC().Truncate(time.Millisecond),
	}
	m.ID = m.id()
	return m
}

func (m *Meta) id() string {
	return fmt.Sprintf("%d-%d-%d", m.Term, m.Index, m.Taken.UnixMilli())
}

// decodeMeta reads meta.json, trusting nothing: what it lets through can be
// printed.
func decodeMeta(b []byte) (m Meta, err error) {
	if err := json.Unmarshal(b, &m); err != nil {
		return Meta{}, fmt.Errorf("%s: %w: %w", metaFile, ErrDamaged, err)
	}
	if m.Version > version {
		return Meta{}, fmt.Errorf("%s: version %d: %w", metaFile, m.Version, kernel.ErrNewerVersion)
	}
	_, err = strconv.ParseUint(m.ClusterID, 16, 64)
	if err != nil || m.Version != version || m.Size <= 0 || m.Index == 0 || m.ID != m.id() {
		return Meta{}, fmt.Errorf("%s: %w: a field is missing or impossible", metaFile, ErrDamaged)
	}
	return m, nil
}
