// Package progress tells an operator how far a command has come: by a bar
// where somebody watches a terminal, by a line now and then in a log.
package progress

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// every is how much time lies between two lines.
const every = 5 * time.Second

// Reporter makes the bars of a command.
type Reporter struct {
	out      io.Writer
	terminal bool
}

// On returns a Reporter that writes to f.
func On(f *os.File) Reporter {
	return Reporter{out: f, terminal: term.IsTerminal(int(f.Fd()))}
}

// Silent is a Reporter that says nothing.
var Silent = Reporter{out: io.Discard}

// Bar is the progress of one piece of work.
type Bar struct {
	Reporter
	what           string
	total, done    int64
	said           int64 // what the last line said
	began, printed time.Time
	bar            *progressbar.ProgressBar // nil where there is no terminal
}

// Begin starts a piece of work of which total is to be done.
func (r Reporter) Begin(what string, total int64) *Bar {
	b := &Bar{Reporter: r, what: what, total: total, began: time.Now(), printed: time.Now()}
	if r.terminal && total > 0 {
		b.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(r.out), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30), progressbar.OptionUseANSICodes(true))
	}
	return b
}

// Add says that n more are done.
func (b *Bar) Add(n int) {
	b.done += int64(n)
	if b.bar != nil {
		// More than was counted before it began is no fault of the work.
		_ = b.bar.Set64(min(b.done, b.total))
		return
	}
	if b.terminal || time.Since(b.printed) < every {
		return
	}
	b.printed = time.Now()
	b.line()
}

// End leaves what was done on a line of its own.
func (b *Bar) End() {
	switch {
	case b.bar != nil:
		_, _ = fmt.Fprintln(b.out)
	case !b.terminal && (b.done == 0 || b.said < b.done):
		b.line()
	}
}

func (b *Bar) line() {
	rate := float64(b.done) / max(time.Since(b.began).Seconds(), 0.001)
	b.said = b.done
	// Progress is said in passing: nobody waits for it.
	_, _ = fmt.Fprintf(b.out, "%s: %d of %d, %.0f/s\n", b.what, b.done, b.total, rate)
}
