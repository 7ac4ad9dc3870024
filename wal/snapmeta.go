package wal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/raft"
)

// A snapshot is a directory with two files, state and meta; the directory's name
// is its id.
const (
	snapStateFile = "state"
	snapMetaFile  = "meta"
	snapMagic     = "HFS\x01"
	snapHeadBytes = 4 + 4 + 4
	damagedSuffix = ".damaged"
)

var crc64Table = crc64.MakeTable(crc64.ECMA)

// snapMeta describes a snapshot; stored as JSON behind a checksum.
type snapMeta struct {
	raft.SnapshotMeta
	StateCRC64 uint64 // ECMA, of the whole state
}

func (m *snapMeta) encode() ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if len(body) > MaxSnapshotMetaBytes {
		return nil, fmt.Errorf("describing the snapshot takes %d bytes: %w; at most %d", len(body), ErrTooLarge, MaxSnapshotMetaBytes)
	}
	b := append([]byte(snapMagic), 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, body...)
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b, nil
}

func decodeSnapMeta(b []byte) (m snapMeta, bad string) {
	switch {
	case len(b) < snapHeadBytes:
		return m, fmt.Sprintf("%d bytes are too few for a description", len(b))
	case string(b[:4]) != snapMagic:
		return m, "not the description of a snapshot of this version"
	case binary.LittleEndian.Uint32(b[4:]) != crc32.Checksum(b[8:], castagnoli):
		return m, "checksum does not match"
	case int64(binary.LittleEndian.Uint32(b[8:])) != int64(len(b)-snapHeadBytes):
		return m, "length does not match"
	}
	if err := json.Unmarshal(b[snapHeadBytes:], &m); err != nil {
		return m, "cannot be decoded: " + err.Error()
	}
	if m.Size < 0 || m.Version < raft.SnapshotVersionMin || m.Version > raft.SnapshotVersionMax {
		return m, fmt.Sprintf("size %d or version %d is impossible", m.Size, m.Version)
	}
	return m, ""
}

// snapID is what a snapshot's id says: term-index-counter. The counter makes it
// unique in its directory, without a clock.
type snapID struct{ term, index, counter uint64 }

func (id snapID) String() string { return fmt.Sprintf("%d-%d-%d", id.term, id.index, id.counter) }

// newer orders snapshots; the counter decides between two of the same state
// (raft's recovery writes one with another configuration).
func (id snapID) newer(o snapID) bool {
	if id.index != o.index {
		return id.index > o.index
	}
	if id.term != o.term {
		return id.term > o.term
	}
	return id.counter > o.counter
}

func parseSnapID(name string) (id snapID, ok bool) {
	parts := strings.Split(name, "-")
	if len(parts) != 3 {
		return id, false
	}
	for i, to := range []*uint64{&id.term, &id.index, &id.counter} {
		v, err := strconv.ParseUint(parts[i], 10, 64)
		if err != nil {
			return id, false
		}
		*to = v
	}
	return id, id.String() == name
}

// readSnapMeta reads the description of the snapshot in dir and checks what can
// be checked without reading the state. Damage is a *Fault.
func readSnapMeta(dir string, id snapID) (snapMeta, error) { return (*knownMetas)(nil).read(dir, id) }

// knownMetas are descriptions that were decoded before. A file is read each time
// that it is asked for, for a disk may have changed it; but the same bytes are
// decoded only once.
type knownMetas struct {
	of map[snapID]knownMeta // no more than the last scan found
}

type knownMeta struct {
	text []byte
	meta snapMeta
}

// decode gives a description of its own to each caller.
func (k *knownMetas) decode(id snapID, b []byte) (snapMeta, string) {
	if k == nil {
		return decodeSnapMeta(b)
	}
	if known, ok := k.of[id]; ok && bytes.Equal(known.text, b) {
		m := known.meta
		m.Configuration = m.Configuration.Clone()
		m.Peers = bytes.Clone(m.Peers)
		return m, ""
	}
	m, bad := decodeSnapMeta(b)
	if bad == "" {
		known := knownMeta{text: b, meta: m}
		known.meta.Configuration, known.meta.Peers = m.Configuration.Clone(), bytes.Clone(m.Peers)
		k.of[id] = known
	}
	return m, bad
}

// forget drops all but those that were found.
func (k *knownMetas) forget(found []stored) {
	if k == nil || len(k.of) <= len(found) {
		return
	}
	kept := make(map[snapID]knownMeta, len(found))
	for i := range found {
		if known, ok := k.of[found[i].id]; ok {
			kept[found[i].id] = known
		}
	}
	k.of = kept
}

// read is readSnapMeta.
func (k *knownMetas) read(dir string, id snapID) (snapMeta, error) {
	path := filepath.Join(dir, snapMetaFile)
	b, err := readBounded(path, snapHeadBytes+MaxSnapshotMetaBytes)
	if errors.Is(err, os.ErrNotExist) {
		return snapMeta{}, &Fault{File: path, Cause: "the file is missing"}
	}
	if err != nil {
		return snapMeta{}, err
	}
	m, bad := k.decode(id, b)
	if bad == "" && (m.ID != id.String() || m.Index != id.index || m.Term != id.term) {
		bad = fmt.Sprintf("describes snapshot %.64q", m.ID)
	}
	if bad != "" {
		return m, &Fault{File: path, Cause: bad}
	}
	state := filepath.Join(dir, snapStateFile)
	fi, err := os.Stat(state)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return m, &Fault{File: state, Cause: "the file is missing"}
	case err != nil:
		return m, err
	case fi.Size() != m.Size:
		return m, &Fault{File: state, Offset: min(fi.Size(), m.Size), Cause: fmt.Sprintf("%d bytes long, must be %d", fi.Size(), m.Size)}
	}
	return m, nil
}
