//go:build unix

package diskfault

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

// named are rows of the table by what they are about.
func named(t *testing.T, faults ...string) (rows []Row) {
	all := Rows()
	for _, f := range faults {
		i := slices.IndexFunc(all, func(r Row) bool { return r.Fault == f })
		require.GreaterOrEqual(t, i, 0, f)
		rows = append(rows, all[i])
	}
	return rows
}

// One row of each kind holds, and rows that expect something else do not: one
// that takes a tear for rot, rot for a tear, a loss for none, and words for
// others. The whole table is holdfast-jepsen disk-faults.
func TestRows(t *testing.T) {
	rows := named(t, "ENOSPC: write of log records", "EIO: sync of term and vote at the start", "ENOSPC: write of a snapshot",
		"torn tail", "bit flip below the watermark, in the last segment", "term and vote missing", "all snapshots damaged")
	planted := named(t, "torn tail", "bit flip below the watermark, in the last segment", "lost directory entry: raft/, of a member that is alone", "EIO: sync of the log", "header damaged")
	planted[0].Expect, planted[1].Expect, planted[2].Loses = Refuses, Starts, ""
	planted[3].Words = []string{"all is well"}
	planted[4].Verify = ""
	results, err := Run(t.Context(), Config{
		Program: process.TestProgram(t, "faults"), Dir: t.TempDir(), Rows: append(slices.Clone(rows), planted...), Beside: 3, Progress: io.Discard,
	})
	require.NoError(t, err)
	for _, r := range results[:len(rows)] {
		assert.Empty(t, r.Wrong, r.Fault)
		assert.NotEmpty(t, r.Said, r.Fault)
	}
	for _, r := range results[len(rows):] {
		assert.NotEmpty(t, r.Wrong, "planted: %s", r.Fault)
	}
}

// section is the text below a heading of docs/recovery.md.
func section(t *testing.T, page, heading string) string {
	_, after, found := strings.Cut(page, "# "+heading+"\n")
	require.True(t, found, "docs/recovery.md has no section %q", heading)
	text, _, _ := strings.Cut(after, "\n#")
	return text
}

// Whatever the daemon says about a fault, the section that the table leads to
// has the words.
func TestWordsAreExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/recovery.md")
	require.NoError(t, err)
	for _, r := range Rows() {
		text := section(t, string(page), r.Section)
		for _, w := range r.Words {
			assert.Contains(t, text, w, "%s: section %q", r.Fault, r.Section)
		}
	}
}

// The page has the rows of the code, in their order.
func TestTableIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../docs/disk-faults.md")
	require.NoError(t, err)
	var written, wanted []string
	for _, line := range strings.Split(string(page), "\n") {
		if cells := strings.Split(line, " | "); len(cells) > 4 && !strings.HasPrefix(line, "| fault") && !strings.HasPrefix(line, "| ---") {
			written = append(written, strings.TrimPrefix(cells[0], "| ")+": "+cells[1])
		}
	}
	for _, r := range Rows() {
		does := string(r.Expect)
		if r.Loses != "" {
			does += ", " + r.Loses
		}
		wanted = append(wanted, r.Fault+": "+does)
	}
	assert.Equal(t, wanted, written, "run: make disk-faults")
}
