//go:build unix

package diskfault

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// stamp is what a running daemon puts before each line.
var stamp = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(\.\d+)? `)

const heading = `# What the daemon does about a broken disk

` + "`make disk-faults`" + ` writes this page from runs of the real daemon on real files: for
each row a directory with some work in it is copied, broken or given a disk that
fails, and the daemon is started on it. What it said and its exit code are from
that run. The code holds an expectation for each row (jepsen/diskfault), and the
command fails where one does not hold.

*starts*: it serves all that was acknowledged, takes writes, and ends with 0 when
told to. *refuses to start*, *ends*: exit code 1, and never a panic. Where the
disk failed, the next start with a disk that works has all that was acknowledged;
where data was damaged, the next start refuses again. A row that may lose what
was acknowledged says so.

The advice to leave everything in place, which ends many messages, is cut off at
` + "`…`" + `. A disk fails here by rule, not by itself: behind the name of the
operation stands what the system would say.

`

// WriteTable writes the results down, in Markdown, for docs/disk-faults.md.
func WriteTable(w io.Writer, results []Result) error {
	var b strings.Builder
	b.WriteString(heading)
	b.WriteString("| fault | the daemon | what it said | exit code | `holdfast wal verify` | what to do |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, r := range results {
		does := string(r.Expect)
		if r.Loses != "" {
			does += ", " + r.Loses
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | [%s](recovery.md#%s) |\n", r.Fault, does,
			code(r.Said), r.Code, code(r.Verified), strings.ReplaceAll(r.Section, "`", ""), anchor(r.Section))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// maxWords bounds a message in the table.
const maxWords = 330

var advice = regexp.MustCompile(`; (do not delete anything|this member must not start).*`)

// code sets a message as it was printed.
func code(text string) string {
	if text == "" {
		return "—"
	}
	text = advice.ReplaceAllString(text, "; …")
	if len(text) > maxWords {
		text = text[:maxWords] + " …"
	}
	return "`" + strings.NewReplacer("|", `\|`, "`", "'", "\n", " ").Replace(text) + "`"
}

// anchor is the name that a heading of a Markdown page has in links.
func anchor(section string) string {
	section = strings.ToLower(section)
	section = regexp.MustCompile("[^a-z0-9 -]").ReplaceAllString(section, "")
	return strings.ReplaceAll(section, " ", "-")
}
