package archive_test

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"holdfast/kernel"
	"holdfast/kernel/archive"
)

// A state is written as an archive, looked at, and read into a new state.
func Example() {
	state := kernel.New()
	session := kernel.Session{Term: 1}
	if _, err := state.Apply(1, kernel.AppendOpening(nil, session, 0)); err != nil {
		panic(err)
	}
	command, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpSet, Path: "/leader", Value: "n1"})
	if err != nil {
		panic(err)
	}
	if _, err := state.Apply(2, kernel.AppendBatch(nil, session, 0, [][]byte{command})); err != nil {
		panic(err)
	}

	// A member takes it with Replica.Copy, and writes to a connection.
	var file bytes.Buffer
	taken := state.Snapshot()
	about := archive.About(taken, session.Term, 0xc1, time.UnixMilli(1_477_944_140_022))
	if err := archive.Write(&file, taken, about, nil); err != nil {
		panic(err)
	}

	about, found, err := archive.Verify(bytes.NewReader(file.Bytes()))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %d key\n", about.ID, found.Keys.Count)

	var restored *kernel.State
	if _, err := archive.Read(&file, func(_ archive.Meta, state io.Reader) (err error) {
		restored, err = kernel.Restore(state)
		return err
	}); err != nil {
		panic(err)
	}
	node, refused := restored.View().Get("/leader")
	if refused != nil {
		panic(refused)
	}
	fmt.Println(node.Value)

	// Output:
	// 1-2-1477944140022: 1 key
	// n1
}
