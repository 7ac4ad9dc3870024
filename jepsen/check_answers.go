package jepsen

import (
	"fmt"
	"slices"
)

// checkAnswers holds each answer against what the documents allow at all: no
// request is answered with a code or a status that they do not give to it, nor
// with what is no answer of the API.
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

// misanswered says why no server may ever give this answer; "" if one may. A
// member in trouble answers with status 500 and above, and code 300; one that
// got a request too slowly with 408.
func misanswered(o *Operation) string {
	const requestTimeout = 408
	switch {
	case o.Status >= 500 || o.Status == requestTimeout:
		return ""
	case o.Status != 0:
		return fmt.Sprintf("was answered with status %d, which does not go with what was answered (code %d): %s", o.Status, o.ErrorCode, o.Error)
	case o.ErrorCode == 0, internal(o.ErrorCode), slices.Contains(codesOf[o.Op], o.ErrorCode),
		o.ErrorCode == codeRootReadOnly && o.Key == "/" && !o.Op.Reads():
		return ""
	}
	return fmt.Sprintf("was refused with code %d, which there is not for such a request: %s", o.ErrorCode, o.Error)
}
