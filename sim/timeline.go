package sim

import (
	"fmt"
	"io"
)

// timeline is a run as text of fixed width: a line per change of state.
type timeline struct {
	w   io.Writer  // nil: nobody reads it
	err error      // the first failure to write
	rec *Recording // nil: none
}

func (t *timeline) line(nanos int64, who, what, detail string) {
	t.rec.act(nanos, who, what, detail)
	if t.w == nil || t.err != nil {
		return
	}
	_, t.err = fmt.Fprintf(t.w, "%12.6f  %-4s  %-10s  %s\n", float64(nanos)/1e9, who, what, detail)
}

func (t *timeline) head() {
	if t.w != nil && t.err == nil {
		_, t.err = fmt.Fprintf(t.w, "%12s  %-4s  %-10s  %s\n", "seconds", "who", "what", "detail")
	}
}
