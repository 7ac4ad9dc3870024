package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/client"
)

// usageError is a command called wrongly: exit code 2.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// usage forms a usageError in the name of the command.
func usage(cmd *cli.Command, format string, args ...any) error {
	name, help := commandName(cmd), cmd.FullName()+" --help"
	what := "command line"
	if name != "" {
		what = name + ": command line"
	}
	return &usageError{fmt.Sprintf("%s: %s; see \"%s\"", what, fmt.Sprintf(format, args...), help)}
}

// commandName is the command's name as typed, without the program's.
func commandName(cmd *cli.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(cmd.FullName(), "holdfast"), " ")
}

// fail gives an error its form: what: where: cause; do this.
func fail(what, where string, cause error, advice string) error {
	return fmt.Errorf("%s: %s: %w; %s", what, where, cause, advice)
}

// failRequest words a failure of the client for the user. what is the command
// and, where it has one, its key.
func failRequest(what string, c *client.Client, err error) error {
	var (
		refusal     *client.StoreError
		unknown     *client.UnknownOutcomeError
		unreachable *client.UnreachableError
		protocol    *client.ProtocolError
	)
	switch {
	case errors.As(err, &unknown):
		return fail(what, unknown.Endpoint, err, `look with "holdfast get --quorum" or "ls --quorum" before trying again`)
	case errors.As(err, &unreachable):
		return fail(what, unreachable.Endpoints(), err, "is the store running? name its address with --endpoints")
	case errors.As(err, &refusal):
		return fail(what, refusal.Endpoint, err, advice(refusal))
	case errors.As(err, &protocol):
		return fail(what, protocol.Endpoint, err, "name a store's client address with --endpoints")
	}
	return fail(what, strings.Join(c.Endpoints(), ","), err, "try again")
}

// advice says what to do about a refusal, by its etcd v2 error code.
func advice(refusal *client.StoreError) string {
	switch refusal.Code {
	case 100:
		return `see what is there with "holdfast ls"`
	case 101:
		return "read the key again and decide on its new value"
	case 102:
		return "name a key, or use the command for directories (ls, setdir, updatedir, rmdir, rm --recursive)"
	case 104:
		return "choose a key that does not lie below another key"
	case 105:
		return `choose another key, or replace its value with "holdfast set"`
	case 107:
		return "choose a key below the root"
	case 108:
		return `remove what is in it, or use "holdfast rm --recursive"`
	case 110:
		return "act as a user who may do this"
	case 401:
		return `read the key again and watch from there: the store keeps only its latest events`
	}
	if refusal.Status/100 == 5 {
		return `try again; "holdfast cluster-health" tells whether there is a leader`
	}
	return "correct the request"
}
