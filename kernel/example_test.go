package kernel_test

import (
	"bytes"
	"fmt"

	"holdfast/kernel"
)

// A leader opens a clock session, folds commands into entries and hands them
// to the log; every member applies them in the log's order.
func Example() {
	session := kernel.Session{Term: 1}
	opening := kernel.AppendOpening(nil, session, 1_700_000_000_000_000_000)

	var commands [][]byte
	for _, c := range []kernel.Command{
		{Op: kernel.OpSet, Path: "/config/host", Value: "alpha"},
		{Op: kernel.OpCreate, Path: "/lock", Value: "me", HasTTL: true, TTLSeconds: 5},
		{Op: kernel.OpCreate, Path: "/lock", Value: "you"},
	} {
		b, err := kernel.AppendCommand(nil, &c)
		if err != nil {
			fmt.Println(err)
			return
		}
		commands = append(commands, b)
	}
	entry := kernel.AppendBatch(nil, session, 2*kernel.Second, commands)

	state := kernel.New()
	for i, e := range [][]byte{opening, entry} {
		applied, err := state.Apply(kernel.LogIndex(i+1), e)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, r := range applied.Results {
			if r.Err != nil {
				fmt.Println("refused:", r.Err)
				continue
			}
			fmt.Println(r.Event.Index, r.Event.Action, r.Event.Node.Path)
		}
	}

	// A view is a copy that costs next to nothing.
	view := state.View()
	node, _ := view.Get("/lock")
	fmt.Println(node.Value, "for", view.Clock.TTLSeconds(node.Deadline), "s")

	// A snapshot brings another member to the same state.
	var snapshot bytes.Buffer
	if _, err := state.Snapshot().WriteTo(&snapshot); err != nil {
		fmt.Println(err)
		return
	}
	other, err := kernel.Restore(&snapshot)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the same:", other.HistoryHash() == state.HistoryHash())

	// Output:
	// 1 set /config/host
	// 2 create /lock
	// refused: 105: Key already exists (/lock)
	// me for 5 s
	// the same: true
}
