package story

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// textWidth is where lines of the text are broken.
const textWidth = 110

// WriteText writes the story for a terminal: lines of at most 110 columns, but for words that are longer.
func (s *Story) WriteText(w io.Writer) error {
	var b strings.Builder
	wrap(&b, "", s.Title)
	for _, f := range s.Facts {
		wrap(&b, "  ", f)
	}
	b.WriteString("\n")
	for _, l := range s.Lines {
		wrap(&b, fmt.Sprintf("%12.6f  ", float64(l.At)/1e9), l.Text)
	}
	if len(s.Finding) > 0 {
		b.WriteString("\nFound:\n")
	}
	for _, f := range s.Finding {
		wrap(&b, "  ", strings.TrimSpace(f))
	}
	if s.Checked != "" {
		b.WriteString("\n")
		wrap(&b, "", "Checked: "+s.Checked+".")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write story: %w", err)
	}
	return nil
}

// wrap writes a text after a mark; further lines begin below it. Nothing in a text can end a line or move the cursor.
func wrap(b *strings.Builder, mark, text string) {
	at := 0
	indent := strings.Repeat(" ", utf8.RuneCountInString(mark))
	b.WriteString(mark)
	for i, word := range strings.Fields(printable(text)) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case len(indent)+at+1+n > textWidth:
			b.WriteString("\n" + indent)
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	b.WriteString("\n")
}

// printable replaces control characters: keys come from outside.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}
