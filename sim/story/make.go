package story

import (
	"embed"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"
)

// Report is a run, told and ready to be drawn.
type Report struct {
	Story *Story
	src   *Source
	focus *focus
}

// Make tells a run.
func Make(src *Source) *Report {
	f := focusOn(src)
	return &Report{Story: tell(src, f), src: src, focus: f}
}

// WriteText writes the story for a terminal, see [Story.WriteText].
func (r *Report) WriteText(w io.Writer) error { return r.Story.WriteText(w) }

//go:embed web
var web embed.FS

// scripts are the parts of the page's script, in their order.
var scripts = []string{"data.js", "lanes.js", "draw.js", "pick.js", "panels.js", "input.js", "start.js"}

// WritePage writes the page: HTML with everything in it.
//
// Values come into it in two ways: as JSON whose <, > and & are escaped, which thus cannot end the element that it stands in,
// and as escaped text, for the title and for readers without a script.
func (r *Report) WritePage(w io.Writer) error {
	values, err := json.Marshal(r.data())
	if err != nil {
		return fmt.Errorf("page: encode its data: %w", err)
	}
	var script, text strings.Builder
	for _, name := range scripts {
		script.WriteString(part(name))
	}
	if err := r.WriteText(&text); err != nil {
		return err
	}
	page := strings.NewReplacer( // one pass: nothing that is put in is looked at again
		"{{title}}", html.EscapeString(r.Story.Title), "{{style}}", part("page.css"), "{{script}}", script.String(),
		"{{data}}", string(values), "{{text}}", html.EscapeString(text.String()),
	)
	if _, err := page.WriteString(w, part("page.html")); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// part is a file of the page.
func part(name string) string {
	b, err := web.ReadFile("web/" + name)
	if err != nil {
		panic(err) // it was there when this was built
	}
	return string(b)
}
