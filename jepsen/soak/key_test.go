package soak

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"holdfast/jepsen"
)

// What a client sees of its key is held against what it changed.
func TestKey(t *testing.T) {
	const ok, unknown, fail = jepsen.OK, jepsen.Unknown, jepsen.Fail
	write := func(value string, end jepsen.Outcome) jepsen.Operation {
		return jepsen.Operation{Op: jepsen.Write, Arg: value, Outcome: end}
	}
	read := func(value string) jepsen.Operation {
		return jepsen.Operation{Op: jepsen.Read, Result: value, Missing: value == "", Outcome: ok}
	}
	cas := func(prev, met string) jepsen.Operation {
		return jepsen.Operation{Op: jepsen.CAS, Prev: prev, Arg: "new", Result: met, Outcome: fail, ErrorCode: codeTestFailed}
	}
	remove := func(end jepsen.Outcome, code int) jepsen.Operation {
		return jepsen.Operation{Op: jepsen.Delete, Outcome: end, ErrorCode: code}
	}
	for _, c := range []struct {
		name  string
		done  []jepsen.Operation
		wrong bool // the last of them, and no other
	}{
		{"nothing there", []jepsen.Operation{read("")}, false},
		{"written", []jepsen.Operation{write("a", ok), read("a")}, false},
		{"unknown, not done", []jepsen.Operation{write("a", ok), write("b", unknown), read("a")}, false},
		{"unknown, done late", []jepsen.Operation{write("a", unknown), write("b", ok), read("b"), read("a")}, false},
		{"deleted", []jepsen.Operation{write("a", ok), remove(ok, 0), read("")}, false},
		{"deletion unknown", []jepsen.Operation{write("a", ok), remove(unknown, 0), read("a"), read("")}, false},
		{"gone already", []jepsen.Operation{write("a", ok), remove(unknown, 0), remove(fail, codeKeyNotFound)}, false},
		{"failed for sure", []jepsen.Operation{write("a", ok), write("b", fail), read("a")}, false},
		{"met what was unknown", []jepsen.Operation{write("a", ok), write("b", unknown), cas("a", "b"), read("b")}, false},

		{"lost", []jepsen.Operation{write("a", ok), read("")}, true},
		{"old value", []jepsen.Operation{write("a", ok), write("b", ok), read("a")}, true},
		{"failed for sure, and there", []jepsen.Operation{write("a", ok), write("b", fail), read("b")}, true},
		{"back again", []jepsen.Operation{write("a", ok), remove(ok, 0), read("a")}, true},
		{"gone by itself", []jepsen.Operation{write("a", ok), remove(fail, codeKeyNotFound)}, true},
		{"met another", []jepsen.Operation{write("a", ok), cas("a", "c")}, true},
		{"refused without a reason", []jepsen.Operation{write("a", ok), cas("a", "a")}, true},
		{"refused", []jepsen.Operation{{Op: jepsen.Write, Arg: "a", Outcome: fail, ErrorCode: 105}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := key{path: "/k"}
			for i := range c.done {
				wrong := k.learn(&c.done[i])
				assert.Equal(t, c.wrong && i == len(c.done)-1, wrong != "", "%d: %s", i, wrong)
			}
		})
	}
}
