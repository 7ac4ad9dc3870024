package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// field is one line of a worked example: what it is, and its bytes as the
// documentation says they should be, written by hand.
type field struct {
	name  string
	bytes string
}

// example lays fields out in hex, after checking that together they are what
// the package writes.
func example(t *testing.T, written []byte, fields []field) string {
	var out strings.Builder
	var all []byte
	for _, f := range fields {
		all = append(all, f.bytes...)
		for i := 0; i < len(f.bytes); i += 16 {
			name := f.name
			if i > 0 {
				name = ""
			}
			line := fmt.Sprintf("% -48x %s", f.bytes[i:min(i+16, len(f.bytes))], name)
			out.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	require.Equal(t, written, all)
	return out.String()
}

var (
	exampleSession = Session{Term: 3}
	exampleCommand = withTTL(Command{Op: OpCompareAndSwap, Path: "/lock", Value: "me", PrevValue: "you", PrevIndex: 300}, 60)
	exampleMember  = Member{ID: 0x8e9e05c52164694d, UID: 1, Name: "n1", PeerURLs: []string{"http://a:2380"}}
)

func formatCommand(t *testing.T) string {
	b, err := AppendCommand(nil, &exampleCommand)
	require.NoError(t, err)
	return example(t, b, []field{
		{"operation 5, compare and swap", "\x05"},
		{"flags: time to live, previous value, previous index", "\x38"},
		{"path /lock", "\x05/lock"},
		{"value me", "\x02me"},
		{"60 seconds to live", "\x3c"},
		{"previous value you", "\x03you"},
		{"previous index 300", "\xac\x02"},
	})
}

func formatBatch(t *testing.T) string {
	b := batch(t, exampleSession, 1500, Command{Op: OpSet, Path: "/a", Value: "x"}, Command{Op: OpExpire})
	return example(t, b, []field{
		{"version 1", "\x01"},
		{"kind 0, batch", "\x00"},
		{"session: term 3", "\x03"},
		{"session: restore count 0", "\x00"},
		{"1,500 ns since its opening", "\xdc\x0b"},
		{"2 commands", "\x02"},
		{"7 bytes: set, no flags, path /a, value x", "\x07\x01\x00\x02/a\x01x"},
		{"4 bytes: expire, no flags, no path, no value", "\x04\x08\x00\x00\x00"},
	})
}

func formatOpening(t *testing.T) string {
	return example(t, AppendOpening(nil, exampleSession, 1000), []field{
		{"version 1", "\x01"},
		{"kind 1, opening", "\x01"},
		{"session: term 3", "\x03"},
		{"session: restore count 0", "\x00"},
		{"wall clock 1,000 ns after 1970 began", "\xd0\x0f"},
	})
}

func formatMember(t *testing.T) string {
	return example(t, AppendMember(nil, &exampleMember), []field{
		{"id 8e9e05c52164694d", "\x8e\x9e\x05\xc5\x21\x64\x69\x4d"},
		{"UID 1", "\x01"},
		{"name n1", "\x02n1"},
		{"one peer URL", "\x01\x0dhttp://a:2380"},
		{"no client URLs", "\x00"},
	})
}

func formatEvent(t *testing.T) string {
	e := &Event{
		Action: ActionUpdate, Index: 9, Clock: Clock{Now: 300, WallOffset: -1},
		Node: &Node{Path: "/k", Value: "new", Created: 7, Modified: 9, Deadline: 1300},
		Prev: &Node{Path: "/k", Value: "old", Created: 7, Modified: 7},
	}
	return example(t, AppendEvent(nil, e), []field{
		{"action 3, update", "\x03"},
		{"flags: a node, a previous node", "\x03"},
		{"index 9", "\x09"},
		{"cluster time 300 ns", "\xac\x02"},
		{"wall offset -1 ns", "\x01"},
		{"node: a deadline; /k", "\x02\x02/k"},
		{"value new", "\x03new"},
		{"created 7, modified 9", "\x07\x09"},
		{"deadline 1,300 ns", "\x94\x0a"},
		{"previous node: no flags; /k", "\x00\x02/k"},
		{"value old", "\x03old"},
		{"created 7, modified 7", "\x07\x07"},
	})
}

func formatSnapshot(t *testing.T) string {
	l := &leader{t: t, s: New()}
	l.entry(AppendOpening(nil, exampleSession, 1000))
	l.session, l.elapsed = exampleSession, 300
	l.must(Command{Op: OpMemberAdd, Member: exampleMember})
	l.resize(1)
	l.must(set("/d/k", "v"))
	records := []field{
		{"record of 21 bytes: S, applied log index 4, store index 2", "\x15S\x04\x02"},
		{"history hash", string(binary.BigEndian.AppendUint64(nil, l.s.HistoryHash()))},
		{"session: term 3, restore count 0", "\x03\x00"},
		{"cluster time 300 ns, opened at 0", "\xac\x02\x00"},
		{"wall clock there, 1,000 ns", "\xd0\x0f"},
		{"ring of 1 event", "\x01"},
		{"last UID 1", "\x01"},
		{"no cluster version", "\x00"},
		{"record of 29 bytes: M, id", "\x1dM\x8e\x9e\x05\xc5\x21\x64\x69\x4d"},
		{"UID 1, name n1", "\x01\x02n1"},
		{"one peer URL, no client URLs", "\x01\x0dhttp://a:2380\x00"},
		{"record of 8 bytes: N, directory, /d, no value, created 2, modified 2", "\x08N\x01\x02/d\x00\x02\x02"},
		{"record of 11 bytes: N, no flags, /d/k, value v, created 2, modified 2", "\x0bN\x00\x04/d/k\x01v\x02\x02"},
		{"record of 18 bytes: E, set, a node, index 2", "\x12E\x01\x01\x02"},
		{"cluster time 300 ns, wall offset 1,000 ns", "\xac\x02\xd0\x0f"},
		{"node: no flags, /d/k, value v, created 2, modified 2", "\x00\x04/d/k\x01v\x02\x02"},
		{"record of 5 bytes: Z, 1 member, none removed, 2 nodes, 1 event", "\x05Z\x01\x00\x02\x01"},
	}
	var body []byte
	for _, f := range records {
		body = append(body, f.bytes...)
	}
	sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
	return example(t, snapshotBytes(t, l.s), append([]field{
		{"magic", "HOLDFAST"},
		{"version 1", "\x01"},
		{fmt.Sprintf("block of %d bytes", len(body)), string(binary.BigEndian.AppendUint32(nil, uint32(len(body))))},
		{"CRC-32C of them", string(binary.BigEndian.AppendUint32(nil, sum))},
	}, records...))
}

// TestFormat holds the worked examples of docs/format-kernel.md against the
// code: their fields are spelled out by hand above.
func TestFormat(t *testing.T) {
	const page = "../docs/format-kernel.md"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	examples := map[string]func(*testing.T) string{
		"opening": formatOpening, "batch": formatBatch, "command": formatCommand,
		"member": formatMember, "event": formatEvent, "snapshot": formatSnapshot,
	}
	seen := 0
	section := regexp.MustCompile(`(?s)<!-- golden: (\w+) -->\n.*?<!-- end -->`)
	got := section.ReplaceAllFunc(text, func(b []byte) []byte {
		name := string(section.FindSubmatch(b)[1])
		require.Contains(t, examples, name)
		seen++
		return fmt.Appendf(nil, "<!-- golden: %s -->\n```text\n%s```\n<!-- end -->", name, examples[name](t))
	})
	assert.Equal(t, len(examples), seen)
	if *rewrite {
		require.NoError(t, os.WriteFile(page, got, 0o644))
		return
	}
	assert.True(t, bytes.Equal(text, got), "%s differs from what the code writes; run the test with -rewrite if that is meant:\n%s", page, got)
	for _, limit := range []string{"4,096", "2,113,792", "16 KiB", "512 names", "1,024"} {
		assert.Contains(t, string(text), limit)
	}
	assert.Equal(t, []int{4096, 2113792, 16 << 10, 512, 1024, 1024}, []int{MaxCommandsPerEntry, MaxCommandBytes, MaxPathBytes, MaxDepth, MaxURLBytes, MaxRemovedMembers})
}
