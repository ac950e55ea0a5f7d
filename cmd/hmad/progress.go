package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/hmad/hmad/internal/check"
)

// progress shows on a terminal which of several runs are under way: one line
// that is written anew, or, where the terminal cannot do that, a line for each run
// that has ended.
type progress struct {
	w       io.Writer // nil: nobody looks on
	redraws bool

	mu      sync.Mutex
	total   int
	done    int
	running []string
}

// newProgress returns the progress of total runs for w, which shows nothing where
// w is no terminal.
func newProgress(w io.Writer, total int) *progress {
	if !isTerminal(w) {
		return &progress{}
	}
	return &progress{w: w, redraws: moves(w), total: total}
}

// begin shows that a run has begun.
func (p *progress) begin(id check.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, runOf(id))
	p.draw()
}

// end shows how a run has ended.
func (p *progress) end(r check.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	p.running = slices.DeleteFunc(p.running, func(s string) bool { return s == runOf(r.ID()) })
	if p.w != nil && !p.redraws {
		fmt.Fprintf(p.w, "%d of %d done: %s %s\n", p.done, p.total, runOf(r.ID()), r.Outcome())
	}
	p.draw()
}

// draw writes the line anew; once all is done it is empty.
func (p *progress) draw() {
	if !p.redraws {
		return
	}
	line := ""
	if len(p.running) > 0 {
		line = fmt.Sprintf("%d of %d done, waiting for %s", p.done, p.total, strings.Join(p.running, ", "))
	}
	fmt.Fprint(p.w, "\r\x1b[K"+cut(line, columns(p.w)-1))
}

func runOf(id check.ID) string { return id.Check + " of " + id.Target }
