package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Progress is told to people on stderr.
const (
	barWidth = 20
	// plainEvery is the time between two lines where no line can be redrawn.
	plainEvery = 10 * time.Second
	clearLine  = "\r\x1b[K"
)

// progress shows one line: redrawn on a terminal, and otherwise a new one every now and then.
type progress struct {
	w        io.Writer
	terminal bool
	shown    time.Time
	drawn    bool
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, shown: time.Now()}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// show shows the line as it is now, if it is time.
func (p *progress) show(line string) {
	switch now := time.Now(); {
	case p.terminal:
		fmt.Fprint(p.w, clearLine+line)
		p.drawn = true
	case now.Sub(p.shown) >= plainEvery:
		fmt.Fprintln(p.w, line)
		p.shown = now
	}
}

// clear makes room for something else to be printed.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, clearLine)
		p.drawn = false
	}
}

// line tells how far a sweep is.
func (t *totals) line(seeds uint64, elapsed time.Duration, first *outcome) string {
	done := uint64(t.played())
	filled := int(done * barWidth / max(seeds, 1))
	line := fmt.Sprintf("[%s%s] %d/%d seeds %.2f/s, %v virtual, %.1f virtual s/CPU s, %d faults",
		strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), done, seeds,
		ratio(float64(done), elapsed.Seconds()), t.virtual.Round(time.Second), t.speed(), sum(t.faults))
	if first != nil {
		line += fmt.Sprintf(", %d red, first 0x%x %s", t.red, first.scenario.seed, first.verdict())
	}
	return line
}
