package run

import (
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// accepted marks the findings that a waiver covers at the given moment, with a
// note for each reason.
func accepted(c *check.Check, report check.Report, at time.Time) check.Report {
	if len(c.Accept) == 0 {
		return report
	}
	for i, f := range report.Findings {
		note, ok := waiver(c, f.Reason, at)
		if !ok {
			continue
		}
		report.Findings[i].Accepted = true
		if n := (check.Note{Kind: check.Seen, Text: note}); !slices.Contains(report.Notes, n) {
			report.Notes = append(slices.Clip(report.Notes), n)
		}
	}
	return report
}

// waiver returns the note of the waiver that accepts the reason; ok is false if
// none does.
func waiver(c *check.Check, reason *check.Reason, at time.Time) (note string, ok bool) {
	for _, w := range c.Accept {
		if !w.Covers(reason.Name, at) {
			continue
		}
		note = c.Name + "." + reason.Name + ": accepted until " + w.Until.Format(time.DateOnly)
		if w.Note != "" {
			note += ": " + w.Note
		}
		return note, true
	}
	return "", false
}
