package jepsen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// explained is what is said of a history that no order explains.
func explained(t *testing.T, key string, h History) *Explanation {
	t.Helper()
	e := Explain(&Run{History: h}, key, 10*time.Second)
	require.NotNil(t, e, "it is linearizable")
	return e
}

// Each way in which an operation cannot follow is named, with the state that it meets.
func TestExplain(t *testing.T) {
	wrote := Operation{Process: 1, Call: 10, Return: 20, Op: Write, Key: "/k", Arg: "a", Outcome: OK, ModifiedIndex: 5}
	for why, o := range map[string]Operation{
		`it returned "b"; here the key is "a" (index = 5)`:                                            {Op: Read, Outcome: OK, Result: "b", ModifiedIndex: 6},
		`it returned index 4; here the key is "a" (index = 5)`:                                        {Op: Read, Outcome: OK, Result: "a", ModifiedIndex: 4},
		`it found the key absent; here it is "a" (index = 5)`:                                         {Op: Read, Outcome: OK, Missing: true},
		`it created the key; here that is "a" (index = 5)`:                                            {Op: Create, Arg: "x", Outcome: OK, ModifiedIndex: 6},
		`it succeeded on the condition of "z"; here the key is "a" (index = 5)`:                       {Op: CAS, Prev: "z", Arg: "x", Outcome: OK, ModifiedIndex: 6},
		`it succeeded on the condition of index 3; here the key is "a" (index = 5)`:                   {Op: CAD, PrevIndex: 3, Outcome: OK, ModifiedIndex: 6},
		`it has index 5; here the last change had one of 5 at least`:                                  {Op: Update, Arg: "x", Outcome: OK, ModifiedIndex: 5},
		`its answer says that it replaced "q"; here the key is "a" (index = 5)`:                       {Op: Write, Arg: "x", Result: "q", Outcome: OK, ModifiedIndex: 6},
		`it was refused because the key was absent; here it is "a" (index = 5)`:                       {Op: Update, Arg: "x", Outcome: Fail, ErrorCode: 100},
		`it was refused because it met "c"; here the key is "a" (index = 5)`:                          {Op: CAS, Prev: "z", Arg: "x", Result: "c", Outcome: Fail, ErrorCode: 101},
		`it was refused, expecting "a"; here the key is "a" (index = 5), and it would have been done`: {Op: CAS, Prev: "a", Arg: "x", Outcome: Fail, ErrorCode: 101},
	} {
		o.Process, o.Call, o.Return, o.Key = 2, 30, 40, "/k"
		e := explained(t, "/k", History{o, wrote})
		assert.Equal(t, []int{0}, e.Order)
		assert.Equal(t, []string{`"a" (index = 5)`}, e.States)
		assert.Equal(t, []Refusal{{1, why}}, e.Next, why)
	}
}

// What comes later than the one that cannot follow is not blamed, what is open for ever is placed or left.
func TestExplainBlamesTheFirst(t *testing.T) {
	e := explained(t, "/k", History{
		{Process: 1, Call: 10, Return: 20, Op: Write, Key: "/k", Arg: "a", Outcome: OK, ModifiedIndex: 5},
		{Process: 2, Call: 30, Return: 40, Op: Read, Key: "/k", Result: "z", Outcome: OK},
		{Process: 3, Call: 35, Return: 60, Op: Read, Key: "/k", Result: "y", Outcome: OK},
		{Process: 1, Call: 50, Return: 70, Op: Read, Key: "/k", Result: "x", Outcome: OK},
	})
	require.Len(t, e.Next, 2)
	assert.Equal(t, 2, e.Ops[e.Next[0].Op].Process)
	assert.Equal(t, 3, e.Ops[e.Next[1].Op].Process)
}

// The whole tree is explained in the same way.
func TestExplainTree(t *testing.T) {
	e := explained(t, "", History{
		{Process: 1, Call: 10, Return: 20, Op: Write, Key: "/d/a", Arg: "a", Outcome: OK, ModifiedIndex: 1, Action: "set"},
		{Process: 2, Call: 30, Return: 40, Op: List, Key: "/d", Outcome: OK, Dir: true, Nodes: []Node{{Key: "/d/b", Value: "b", ModifiedIndex: 1}}},
	})
	require.Len(t, e.Next, 1)
	assert.Equal(t, "it shows /d/b, nothing more; here /d is a directory with /d/a, nothing more below it", e.Next[0].Why)
	assert.Equal(t, []string{"2 nodes (index = 1)"}, e.States)
}

// What some order explains needs no explanation.
func TestExplainNothing(t *testing.T) {
	h := History{{Process: 1, Call: 10, Return: 20, Op: Write, Key: "/k", Arg: "a", Outcome: OK, ModifiedIndex: 5}}
	assert.Nil(t, Explain(&Run{History: h}, "/k", time.Second))
	assert.Nil(t, Explain(&Run{History: h}, "/other", time.Second))
}

// A finding's text leads back to the operations that it tells of, in its order, and to no other.
func TestMentioned(t *testing.T) {
	r := &Run{History: History{
		{Process: 1, Call: 10_000, Return: 20_000, Op: Write, Key: "/k", Arg: "a", Outcome: OK, Member: "m"},
		{Process: 2, Call: 30_000, Return: 40_000, Op: Read, Key: "/k", Result: "z", Outcome: OK, Member: "m"},
		{Process: 2, Call: 50_000, Return: 60_000, Op: Read, Key: "/k", Result: "z", Outcome: OK, Member: "m"},
	}}
	f := &Finding{Detail: r.tell(&r.History[2]) + " shows something else than " + r.tell(&r.History[0])}
	assert.Equal(t, []int{2, 0}, r.Mentioned(f))
	assert.Empty(t, r.Mentioned(&Finding{Detail: "nobody"}))
}
