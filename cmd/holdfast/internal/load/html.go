package load

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"inc": func(i int) int { return i + 1 },
}).Parse(pageText))

// WriteHTML writes a report as one page that needs nothing else: a latency
// curve and the figures of each run.
func WriteHTML(w io.Writer, r Report) error {
	data := struct {
		Report   Report
		Settings string
		Series   []struct{} // a colour for each target
		Charts   []chart
	}{Report: r, Settings: r.Settings.String(), Series: make([]struct{}, MaxTargets)}
	for _, run := range r.Runs {
		data.Charts = append(data.Charts, newChart(run))
	}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// String says in a line what all runs share.
func (s Settings) String() string {
	return fmt.Sprintf("%d slices of %gs after %gs of warm-up; %d keys, values of %d bytes",
		s.Slices, s.SliceSeconds, s.WarmupSeconds, s.Keys, s.ValueBytes)
}
