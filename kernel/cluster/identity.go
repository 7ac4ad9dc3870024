package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"holdfast/kernel/replica"
)

// identity is what raft/id holds: who this member is, for ever. It is written
// before the log is made, and again, as started, when the log is there. So the
// two tell a first start that was cut short, which may be done again, from a
// log that was lost, which must not be.
type identity struct {
	Member  uint64
	Cluster uint64
	// Voters is the first configuration, until the log is sure to hold it.
	Voters  []replica.Peer
	Started bool
}

// identityFile is the form of raft/id, in JSON; ids are in hexadecimal.
type identityFile struct {
	Version int         `json:"version"`
	Member  string      `json:"member_id"`
	Cluster string      `json:"cluster_id"`
	Voters  []voterFile `json:"voters,omitempty"`
	Started bool        `json:"started"`
}

type voterFile struct {
	Member string `json:"member_id"`
	Addr   string `json:"addr"`
}

const (
	identityVersion = 1
	// maxIdentityBytes bounds raft/id.
	maxIdentityBytes = 64 << 10
	// What to do about an id, which never changes, and about a log, of which a
	// copy may be too old.
	remedyID  = "put a copy of the file back, or write it anew: see docs/recovery.md"
	remedyLog = "never start the member empty, it may have voted: see docs/recovery.md"
)

// loadIdentity reads raft/id and compares it with what else is there; ok is
// false if no log was ever begun here.
func loadIdentity(dir string) (id identity, ok bool, err error) {
	path := filepath.Join(dir, raftDir, idFile)
	id, err = readIdentity(path)
	noFile := errors.Is(err, fs.ErrNotExist)
	if err != nil && !noFile {
		return id, false, err
	}
	_, err = os.Stat(filepath.Join(dir, raftDir, logDir))
	noLog := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !noLog:
		return id, false, fmt.Errorf("identity: %w", err)
	case noLog && !noFile && id.Started:
		return id, false, fmt.Errorf("identity: %s: %w: the log that belongs to it, %s, is missing; %s", path, ErrDamaged, filepath.Join(raftDir, logDir), remedyLog)
	case !noLog && noFile:
		return id, false, damaged(path, "the file is missing beside a log")
	}
	return id, !noLog, nil
}

func readIdentity(path string) (id identity, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return id, fmt.Errorf("identity: %w", err)
	}
	if info.Size() > maxIdentityBytes {
		return id, damaged(path, fmt.Sprintf("%d bytes long, at most %d are possible", info.Size(), maxIdentityBytes))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return id, fmt.Errorf("identity: %w", err)
	}
	return decodeIdentity(path, b)
}

// decodeIdentity reads the bytes of raft/id; path is for errors.
func decodeIdentity(path string, b []byte) (id identity, err error) {
	// The version first: what a later one means by the other fields is not
	// known.
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return id, damaged(path, err.Error())
	}
	if version.Version != identityVersion {
		return id, fmt.Errorf("identity: %s: version %d is not known; run the holdfast that wrote it", path, version.Version)
	}
	var file identityFile
	if err := json.Unmarshal(b, &file); err != nil {
		return id, damaged(path, err.Error())
	}
	id.Started = file.Started
	if id.Member, err = parseID(file.Member); err != nil {
		return id, damaged(path, "member_id: "+err.Error())
	}
	if id.Cluster, err = parseID(file.Cluster); err != nil {
		return id, damaged(path, "cluster_id: "+err.Error())
	}
	for _, v := range file.Voters {
		voter, err := parseID(v.Member)
		if err != nil {
			return id, damaged(path, "voters: "+err.Error())
		}
		id.Voters = append(id.Voters, replica.Peer{ID: voter, Addr: v.Addr})
	}
	return id, nil
}

func parseID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 16, 64)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%.32q is no id: 1 to 16 hexadecimal digits, not all zero", text)
	}
	return id, nil
}

func damaged(path, cause string) error {
	return fmt.Errorf("identity: %s: %w: %s; %s", path, ErrDamaged, cause, remedyID)
}

// saveIdentity writes raft/id so that it survives a power cut.
func saveIdentity(dir string, id identity) error {
	file := identityFile{Version: identityVersion, Member: formatID(id.Member), Cluster: formatID(id.Cluster), Started: id.Started}
	for _, v := range id.Voters {
		file.Voters = append(file.Voters, voterFile{formatID(v.ID), v.Addr})
	}
	b, err := json.Marshal(file)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	path := filepath.Join(dir, raftDir, idFile)
	err = writeSynced(path+".tmp", append(b, '\n'))
	if err == nil {
		err = diskOp("rename", path, func() error { return os.Rename(path+".tmp", path) })
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("identity: %w; see that the disk has room and may be written", err)
	}
	return nil
}

func formatID(id uint64) string { return fmt.Sprintf("%016x", id) }
