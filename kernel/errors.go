package kernel

import (
	"errors"
	"strconv"
)

// Code is an errorCode of etcd's v2 API.
type Code int

// The codes that applying a command can give. Their numbers and messages are
// those of etcd 3.4 (Documentation/v2/errorcode.md).
const (
	CodeKeyNotFound  Code = 100
	CodeTestFailed   Code = 101
	CodeNotFile      Code = 102
	CodeTooMany      Code = 103
	CodeNotDir       Code = 104
	CodeNodeExist    Code = 105
	CodeRootReadOnly Code = 107
	CodeDirNotEmpty  Code = 108
	CodeMemberExists Code = 109
	CodeInvalidField Code = 209
	CodeEventCleared Code = 401
)

// Message is the text that belongs to the code.
func (c Code) Message() string {
	switch c {
	case CodeKeyNotFound:
		return "Key not found"
	case CodeTestFailed:
		return "Compare failed"
	case CodeNotFile:
		return "Not a file"
	case CodeTooMany:
		return "Reached the max number of peers in the cluster"
	case CodeNotDir:
		return "Not a directory"
	case CodeNodeExist:
		return "Key already exists"
	case CodeRootReadOnly:
		return "Root is read only"
	case CodeDirNotEmpty:
		return "Directory not empty"
	case CodeMemberExists:
		return "Peer address has existed"
	case CodeInvalidField:
		return "Invalid field"
	case CodeEventCleared:
		return "The event in requested index is outdated and cleared"
	}
	return "Unknown error"
}

// Error is a command's or a read's refusal: part of the state machine's
// answer, the same on every member.
type Error struct {
	Code  Code
	Cause string
	// Index is the store index when the refusal was given.
	Index StoreIndex
}

// Error implements error.
func (e *Error) Error() string {
	return strconv.Itoa(int(e.Code)) + ": " + e.Code.Message() + " (" + e.Cause + ")"
}

var (
	// ErrMalformed says that a command is none, or that bytes are no command,
	// entry, event or snapshot of ours.
	ErrMalformed = errors.New("malformed")
	// ErrNewerVersion says that bytes are of a form newer than this build.
	ErrNewerVersion = errors.New("written by a newer version of holdfast; upgrade this member")
	// ErrLimit says that a field is larger than limits.go allows.
	ErrLimit = errors.New("over the limit")
)
