package raftrpc

import (
	"encoding/binary"

	"github.com/hashicorp/raft"
)

func appendInstallRequest(b []byte, e envelope, r *raft.InstallSnapshotRequest) []byte {
	b = appendHeader(e.append(b), r.RPCHeader)
	b = binary.AppendUvarint(b, uint64(r.SnapshotVersion))
	b = binary.AppendUvarint(b, r.Term)
	b = appendBytes(b, r.Leader)
	b = binary.AppendUvarint(b, r.LastLogIndex)
	b = binary.AppendUvarint(b, r.LastLogTerm)
	b = appendBytes(b, r.Peers)
	b = appendBytes(b, r.Configuration)
	b = binary.AppendUvarint(b, r.ConfigurationIndex)
	return binary.AppendUvarint(b, uint64(r.Size))
}

func decodeInstallRequest(payload []byte) (envelope, *raft.InstallSnapshotRequest, error) {
	d := &decoder{b: payload}
	e := d.envelope()
	r := &raft.InstallSnapshotRequest{
		RPCHeader:          d.header(),
		SnapshotVersion:    raft.SnapshotVersion(d.version("snapshot version")),
		Term:               d.uvarint("term"),
		Leader:             d.bytes("leader", maxNameBytes),
		LastLogIndex:       d.uvarint("last index"),
		LastLogTerm:        d.uvarint("last term"),
		Peers:              d.bytes("peers", maxPeersBytes),
		Configuration:      d.bytes("configuration", maxConfigurationBytes),
		ConfigurationIndex: d.uvarint("configuration index"),
	}
	size := d.uvarint("size")
	if size > MaxSnapshotBytes {
		d.fail("size: %d bytes, at most %d allowed", size, int64(MaxSnapshotBytes))
	}
	r.Size = int64(size)
	if d.err == nil && r.SnapshotVersion > 0 {
		d.err = checkConfiguration(r.Configuration)
	}
	if err := d.done(); err != nil {
		return envelope{}, nil, err
	}
	return e, r, nil
}

func appendInstallResponse(b []byte, r *raft.InstallSnapshotResponse) []byte {
	b = appendHeader(b, r.RPCHeader)
	b = binary.AppendUvarint(b, r.Term)
	return appendBool(b, r.Success)
}

func decodeInstallResponse(payload []byte, r *raft.InstallSnapshotResponse) error {
	d := &decoder{b: payload}
	v := raft.InstallSnapshotResponse{
		RPCHeader: d.header(),
		Term:      d.uvarint("term"),
		Success:   d.bool("success"),
	}
	if err := d.done(); err != nil {
		return err
	}
	*r = v
	return nil
}
