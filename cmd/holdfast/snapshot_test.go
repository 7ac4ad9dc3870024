package main

import (
	"bytes"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"holdfast/kernel"
	"holdfast/kernel/archive"
)

// archiveCommand is "archive FILE": it writes an archive of the same state, of
// the same time, whenever it is called.
func archiveCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: archive FILE")
	}
	session := kernel.Session{Term: 3}
	state := kernel.New()
	_, err := state.Apply(1, kernel.AppendOpening(nil, session, 0))
	ts.Check(err)
	var wire [][]byte
	for _, c := range []kernel.Command{
		{Op: kernel.OpMemberAdd, Member: kernel.Member{ID: 1, Name: "one", PeerURLs: []string{"http://a:2380"}}},
		{Op: kernel.OpSet, Path: "/d/a", Value: strings.Repeat("v", 300)},
		{Op: kernel.OpSet, Path: "/d/b", Value: "2", HasTTL: true, TTLSeconds: 9},
		{Op: kernel.OpSet, Path: "/c", Value: "3"},
	} {
		w, err := kernel.AppendCommand(nil, &c)
		ts.Check(err)
		wire = append(wire, w)
	}
	_, err = state.Apply(2, kernel.AppendBatch(nil, session, 0, wire))
	ts.Check(err)
	var b bytes.Buffer
	copied := state.Snapshot()
	ts.Check(archive.Write(&b, copied, archive.About(copied, session.Term, 0xc1, time.UnixMilli(1_477_944_140_022)), nil))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}
