package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The data directory: raft/ is the member (without it, it is a new one), tmp/
// may be lost, LOCK says who runs on it.
const (
	raftDir  = "raft"
	tmpDir   = "tmp"
	lockFile = "LOCK"
	idFile   = "id"
)

// prepare makes the data directory, or checks that it is one of ours.
func prepare(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory: %s: %w; give --data-dir a directory that this user may read and write", dir, err)
	}
	ours := map[string]bool{raftDir: true, tmpDir: true, lockFile: true, "keystore": true}
	for _, e := range entries {
		if !ours[e.Name()] {
			return fmt.Errorf("data directory: %s: %w: it holds %q; give --data-dir an empty directory or one of holdfast's own", dir, ErrForeignDirectory, e.Name())
		}
	}
	for _, sub := range []string{raftDir, tmpDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("data directory: %w; give --data-dir a directory that this user may write", err)
		}
	}
	return nil
}

// identity is what raft/id holds: who this member is, for ever.
type identity struct {
	Version   int    `json:"version"`
	Member    string `json:"member_id"`
	Cluster   string `json:"cluster_id"`
	memberID  uint64
	clusterID uint64
}

const identityVersion = 1

// loadIdentity reads raft/id; ok is false if there is none.
func loadIdentity(dir string) (id identity, ok bool, err error) {
	path := filepath.Join(dir, raftDir, idFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return id, false, nil
	}
	if err != nil {
		return id, false, fmt.Errorf("identity: %w", err)
	}
	if err := json.Unmarshal(b, &id); err != nil {
		return id, false, fmt.Errorf("identity: %s: %w; restore the file from a copy, or remove raft/ and add the member anew", path, err)
	}
	if id.Version != identityVersion {
		return id, false, fmt.Errorf("identity: %s: version %d is not known; run the holdfast that wrote it", path, id.Version)
	}
	if _, err := fmt.Sscanf(id.Member+" "+id.Cluster, "%x %x", &id.memberID, &id.clusterID); err != nil || id.memberID == 0 {
		return id, false, fmt.Errorf("identity: %s: no member and cluster id; restore the file from a copy, or remove raft/ and add the member anew", path)
	}
	return id, true, nil
}

// saveIdentity writes raft/id so that it survives a power cut.
func saveIdentity(dir string, member, cluster uint64) error {
	b, err := json.Marshal(identity{Version: identityVersion, Member: fmt.Sprintf("%016x", member), Cluster: fmt.Sprintf("%016x", cluster)})
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	path := filepath.Join(dir, raftDir, idFile)
	if err := writeSynced(path+".tmp", append(b, '\n')); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
