package jepsen

import (
	"fmt"
	"slices"
)

// checkAnswers holds each answer against what the documents allow at all: no
// request is answered with a code, a status or, of a read, an action that they do
// not give to it, nor with what is no answer of the API.
func checkAnswers(r *Run, _ Limits) Result {
	c := &collector{checker: "answers"}
	for i := range r.History {
		o := &r.History[i]
		if o.answered() {
			c.operations++
		}
		if why := misanswered(o); why != "" {
			c.add(o.Key, o.Return, "%s %s", r.tell(o), why)
		}
	}
	return c.result()
}

// codesOf are the codes by which the store refuses a kind of request, those
// apart that it has for the root: etcd's v2 API and errorcode.md. Whether the
// state asks for the very code is the order checker's business.
var codesOf = map[Kind][]int{
	Read:      {codeKeyNotFound, codeNotDir},
	LocalRead: {codeKeyNotFound, codeNotDir},
	List:      {codeKeyNotFound, codeNotDir},
	LocalList: {codeKeyNotFound, codeNotDir},
	Write:     {codeNotFile, codeNotDir},
	Create:    {codeNotDir, codeNodeExist},
	MakeDir:   {codeNotDir, codeNodeExist},
	InOrder:   {codeNotDir},
	Update:    {codeKeyNotFound, codeNotFile, codeNotDir},
	Refresh:   {codeKeyNotFound, codeNotDir},
	CAS:       {codeKeyNotFound, codeTestFailed, codeNotFile, codeNotDir},
	CAD:       {codeKeyNotFound, codeTestFailed, codeNotFile, codeNotDir},
	Delete:    {codeKeyNotFound, codeNotFile, codeNotDir},
	RemoveDir: {codeKeyNotFound, codeNotDir, codeDirNotEmpty},
	RemoveAll: {codeKeyNotFound, codeNotDir},
	Watch:     {codeEventCleared},
	Stream:    {codeEventCleared},
}

// actionGet is the action of what answers a read.
const actionGet = "get"

// misanswered says why no server may ever give this answer; "" if one may.
// Changes' actions are held against what the log has of them elsewhere; those of
// a watch's events, too.
func misanswered(o *Operation) string {
	switch {
	case inTrouble(o):
		return ""
	case o.Op.Reads() && !watches(o.Op) && o.Action != "" && o.Action != actionGet:
		return fmt.Sprintf("was answered with action %q, which is not that of a read", o.Action)
	case o.Unsorted:
		return "was answered with nodes that are not sorted"
	case o.Status != 0:
		return fmt.Sprintf("was answered with status %d, which does not go with what was answered (code %d): %s", o.Status, o.ErrorCode, o.Error)
	case o.ErrorCode == 0, internal(o.ErrorCode), slices.Contains(codesOf[o.Op], o.ErrorCode),
		o.ErrorCode == codeRootReadOnly && o.Key == "/" && !o.Op.Reads():
		return ""
	}
	return fmt.Sprintf("was refused with code %d, which there is not for such a request: %s", o.ErrorCode, o.Error)
}

// inTrouble tells the answers of a member that could not: status 500 and above,
// or 408 of one that got a request too slowly, either with an internal code or,
// below the API, with none. A refusal by the store has a status of its own.
func inTrouble(o *Operation) bool {
	const requestTimeout = 408
	return (o.Status >= 500 || o.Status == requestTimeout) && (o.ErrorCode == 0 || internal(o.ErrorCode))
}
