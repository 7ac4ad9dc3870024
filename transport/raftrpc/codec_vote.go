//lint:file-ignore SA1019 raft v1.8.0 itself still sends and reads the fields Leader and Candidate.

package raftrpc

import (
	"encoding/binary"

	"github.com/hashicorp/raft"
)

func appendVoteRequest(b []byte, e envelope, r *raft.RequestVoteRequest) []byte {
	b = appendHeader(e.append(b), r.RPCHeader)
	b = binary.AppendUvarint(b, r.Term)
	b = appendBytes(b, r.Candidate)
	b = binary.AppendUvarint(b, r.LastLogIndex)
	b = binary.AppendUvarint(b, r.LastLogTerm)
	return appendBool(b, r.LeadershipTransfer)
}

func decodeVoteRequest(payload []byte) (envelope, *raft.RequestVoteRequest, error) {
	d := &decoder{b: payload}
	e := d.envelope()
	r := &raft.RequestVoteRequest{
		RPCHeader:          d.header(),
		Term:               d.uvarint("term"),
		Candidate:          d.bytes("candidate", maxNameBytes),
		LastLogIndex:       d.uvarint("last index"),
		LastLogTerm:        d.uvarint("last term"),
		LeadershipTransfer: d.bool("leadership transfer"),
	}
	if err := d.done(); err != nil {
		return envelope{}, nil, err
	}
	return e, r, nil
}

func appendVoteResponse(b []byte, r *raft.RequestVoteResponse) []byte {
	b = appendHeader(b, r.RPCHeader)
	b = binary.AppendUvarint(b, r.Term)
	b = appendBytes(b, r.Peers)
	return appendBool(b, r.Granted)
}

func decodeVoteResponse(payload []byte, r *raft.RequestVoteResponse) error {
	d := &decoder{b: payload}
	v := raft.RequestVoteResponse{
		RPCHeader: d.header(),
		Term:      d.uvarint("term"),
		Peers:     d.bytes("peers", maxPeersBytes),
		Granted:   d.bool("granted"),
	}
	if err := d.done(); err != nil {
		return err
	}
	*r = v
	return nil
}

func appendPreVoteRequest(b []byte, e envelope, r *raft.RequestPreVoteRequest) []byte {
	b = appendHeader(e.append(b), r.RPCHeader)
	b = binary.AppendUvarint(b, r.Term)
	b = binary.AppendUvarint(b, r.LastLogIndex)
	return binary.AppendUvarint(b, r.LastLogTerm)
}

func decodePreVoteRequest(payload []byte) (envelope, *raft.RequestPreVoteRequest, error) {
	d := &decoder{b: payload}
	e := d.envelope()
	r := &raft.RequestPreVoteRequest{
		RPCHeader:    d.header(),
		Term:         d.uvarint("term"),
		LastLogIndex: d.uvarint("last index"),
		LastLogTerm:  d.uvarint("last term"),
	}
	if err := d.done(); err != nil {
		return envelope{}, nil, err
	}
	return e, r, nil
}

func appendPreVoteResponse(b []byte, r *raft.RequestPreVoteResponse) []byte {
	b = appendHeader(b, r.RPCHeader)
	b = binary.AppendUvarint(b, r.Term)
	return appendBool(b, r.Granted)
}

func decodePreVoteResponse(payload []byte, r *raft.RequestPreVoteResponse) error {
	d := &decoder{b: payload}
	v := raft.RequestPreVoteResponse{
		RPCHeader: d.header(),
		Term:      d.uvarint("term"),
		Granted:   d.bool("granted"),
	}
	if err := d.done(); err != nil {
		return err
	}
	*r = v
	return nil
}

func appendTimeoutNowRequest(b []byte, e envelope, r *raft.TimeoutNowRequest) []byte {
	return appendHeader(e.append(b), r.RPCHeader)
}

func decodeTimeoutNowRequest(payload []byte) (envelope, *raft.TimeoutNowRequest, error) {
	d := &decoder{b: payload}
	e := d.envelope()
	r := &raft.TimeoutNowRequest{RPCHeader: d.header()}
	if err := d.done(); err != nil {
		return envelope{}, nil, err
	}
	return e, r, nil
}

func appendTimeoutNowResponse(b []byte, r *raft.TimeoutNowResponse) []byte {
	return appendHeader(b, r.RPCHeader)
}

func decodeTimeoutNowResponse(payload []byte, r *raft.TimeoutNowResponse) error {
	d := &decoder{b: payload}
	v := raft.TimeoutNowResponse{RPCHeader: d.header()}
	if err := d.done(); err != nil {
		return err
	}
	*r = v
	return nil
}
