package transport

import (
	"errors"
	"syscall"
)

var (
	// ErrNoTCP says that this build has no sockets.
	ErrNoTCP = errors.New("no TCP under wasip1; use the simulated or the in-memory network")
	// ErrRefused says that nobody listens at the address dialled, or that the
	// listener's queue is full (in-memory network).
	ErrRefused = errors.New("connection refused")
	// ErrAddrInUse says that the address has a listener already (in-memory
	// network).
	ErrAddrInUse = errors.New("address already in use")
	// ErrPreamble says that the first bytes of a connection are not a preamble
	// of ours.
	ErrPreamble = errors.New("not a holdfast preamble")
)

// IsRefused tells whether a Dial of any network was refused: as a rule nobody
// listens there, and the peer's host has said so itself.
func IsRefused(err error) bool {
	return errors.Is(err, ErrRefused) || errors.Is(err, syscall.ECONNREFUSED)
}
