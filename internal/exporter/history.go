package exporter

import (
	"fmt"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// recentRuns is how many runs the Store keeps whatever their outcome; before
// them it keeps only those that were not good.
const recentRuns = 20

// run is one line of the history.
type run struct {
	look
	Start *moment
	Took  string
	Why   string // the reasons found, or the error
	Old   bool   // from before the recent runs
}

// runs returns the history, newest first as it came, and sums it up.
func runs(history []check.Result, now time.Time) (out []run, tally string) {
	var outcomes []check.Outcome
	for i, r := range history {
		out = append(out, run{lookOf(r.Outcome()), momentOf(r.Start, now), check.Span(r.Took), why(r), i >= recentRuns})
		if i < recentRuns {
			outcomes = append(outcomes, r.Outcome())
		}
	}
	var parts []string
	for _, c := range counts(outcomes) {
		parts = append(parts, fmt.Sprintf("%d %s", c.N, c.Word))
	}
	return out, strings.Join(parts, ", ")
}

// why says in a line what came of a run.
func why(r check.Result) string {
	var parts []string
	for _, f := range r.Report.Findings {
		name := f.Reason.Name
		if f.Accepted {
			name += " (accepted)"
		}
		parts = append(parts, name)
	}
	if r.Err != nil {
		parts = append(parts, errorClass(r)+": "+r.Err.Error())
	}
	return check.Clean(strings.Join(parts, ", "), 300)
}
