package cluster

import (
	"crypto/sha1" //nolint:gosec // an identity, not a secret
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"holdfast/kernel/replica"
	"holdfast/transport"
)

// Errors of a start. They are wrapped with what to do about them.
var (
	// ErrForeignDirectory says that the data directory holds something else.
	ErrForeignDirectory = errors.New("not a holdfast data directory")
	// ErrInUse says that another process runs on the data directory.
	ErrInUse = errors.New("in use")
	// ErrDamaged says that raft/id cannot be read, or that either it or the
	// log that belongs to it is missing.
	ErrDamaged = errors.New("damaged")
	// ErrBootstrapped says that a member without a log is known to its peers.
	ErrBootstrapped = errors.New("member ID has already been bootstrapped")
	// ErrUnsure says that a peer may know a member without a log, but cannot
	// say so before its cluster has a leader.
	ErrUnsure = errors.New("peers cannot tell yet")
	// ErrNotMember says that no peer knows of this member.
	ErrNotMember = errors.New("not a member of the cluster")
)

// Initial is one member of the cluster as the operator wrote it.
type Initial struct {
	Name    string
	PeerURL string
}

// Config says what a member is and works with. The fields without "default"
// in their comment are required.
type Config struct {
	Name    string
	DataDir string
	Network transport.Network
	// ListenPeer is the host:port to wait for peers at.
	ListenPeer string
	// PeerURL is where peers reach this member, ClientURLs where clients do.
	PeerURL    string
	ClientURLs []string
	// Initial are the members of a new static cluster, this one among them;
	// default: this one alone.
	Initial []Initial
	// Existing says that the cluster is there and has been told of this
	// member: it waits to be brought up to date and never begins a cluster.
	Existing bool
	// Token tells clusters apart that have the same addresses.
	Token string
	// HistoryEvents seeds the length of the event ring; default: the kernel's.
	HistoryEvents int
	// Replica tunes the replica: only its timing and size fields are used.
	Replica replica.Config
	// AskFor bounds how long a new static member asks peers that cannot tell
	// yet whether it is new; default: DefaultAskFor.
	AskFor time.Duration
	// Fatal and Log are as in replica.Config.
	Fatal func(error)
	Log   io.Writer
}

// apiVersion is the version of etcd's API that all members of a cluster of this
// build can speak.
const apiVersion = "3.4.0"

// DefaultAskFor is the default of Config.AskFor.
const DefaultAskFor = 10 * time.Second

// askTimeout bounds the question to one peer whether it knows this member.
const askTimeout = 2 * time.Second

// memberID names a member of a static cluster: every member computes the same
// from the same flags, without asking anybody.
func memberID(peerURL, token string) uint64 {
	sum := sha1.Sum([]byte(peerURL + "\n" + token)) //nolint:gosec // see above
	return max(binary.BigEndian.Uint64(sum[:]), 1)
}

// clusterID names the cluster of these members.
func clusterID(ids []uint64) uint64 {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var b []byte
	for _, id := range ids {
		b = binary.BigEndian.AppendUint64(b, id)
	}
	sum := sha1.Sum(b) //nolint:gosec // see above
	return max(binary.BigEndian.Uint64(sum[:]), 1)
}

// hostPort is the address in a URL.
func hostPort(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Port() == "" {
		return "", fmt.Errorf("peer URL: %q: no host and port; write it as http://host:2380", raw)
	}
	return u.Host, nil
}
