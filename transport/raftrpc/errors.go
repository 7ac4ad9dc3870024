package raftrpc

import "errors"

var (
	// ErrClosed says that the transport was closed.
	ErrClosed = errors.New("raft transport is closed")
	// ErrNoRaft says that no raft instance is attached, or that the one the
	// call belonged to has been retired. The request was perhaps handled.
	ErrNoRaft = errors.New("no raft instance is attached")
	// ErrBusy says that raft did not take a request in the time its sender
	// would wait. The request was not handled.
	ErrBusy = errors.New("raft is busy")
	// ErrRemote wraps the text of an error that the peer answered with.
	ErrRemote = errors.New("the peer answered with an error")
	// ErrWrongServer says that a request reached a server it was not meant
	// for, as happens when an address changes hands.
	ErrWrongServer = errors.New("request is for another server")
	// ErrTooLarge says that something is beyond a limit of the wire.
	ErrTooLarge = errors.New("beyond the limit of the raft transport")
	// ErrFrame says that bytes received are not a frame of this protocol.
	ErrFrame = errors.New("malformed raft frame")
	// ErrSnapshotBody says that a snapshot had not as many bytes as declared.
	ErrSnapshotBody = errors.New("snapshot body does not match its declared size")
	// ErrUnverifiedCommit says that a request would commit entries that its
	// own log position does not vouch for.
	ErrUnverifiedCommit = errors.New("commit index lies beyond the verified log")
	// ErrTermOnly says that raft was about to send an entry of which only the
	// term is left. Nothing was sent; it will send the snapshot instead.
	ErrTermOnly = errors.New("the log has lost it to a snapshot, and knows its term only")
	// ErrRejected says that raft answered a delivered request without success.
	ErrRejected = errors.New("raft rejected the request")
)
