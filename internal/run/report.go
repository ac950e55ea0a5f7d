package run

import (
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// declared passes an answer on whose report carries only what the Def
// declares. Any other is a programming error: nothing of it is kept, because
// page, metrics and alerts know no such name.
func declared(def *check.Def, a answer) answer {
	if err := undeclared(def, a.report); err != nil {
		return answer{err: err}
	}
	return a
}

// undeclared returns an error of class internal for the first reason or metric in
// the report that def does not declare, and for a sample that is no gauge or
// whose labels do not fit.
func undeclared(def *check.Def, report check.Report) error {
	reasons := report.Unevaluated()
	for _, f := range report.Findings {
		reasons = append(reasons, f.Reason)
	}
	for _, r := range reasons {
		switch {
		case r == nil:
			return check.Errorf(check.Internal, "a defect of hmad: %s reports a finding without a reason", def.Name)
		case !slices.Contains(def.Reasons, r):
			return check.Errorf(check.Internal, "a defect of hmad: %s reports the reason %s, which it does not declare", def.Name, r.Name)
		}
	}
	for _, s := range report.Samples {
		if err := misfit(def, s); err != nil {
			return err
		}
	}
	return nil
}

func misfit(def *check.Def, s check.Sample) error {
	m := s.Metric
	switch {
	case m == nil:
		return check.Errorf(check.Internal, "a defect of hmad: %s reports a sample without a metric", def.Name)
	case m != check.Phase && !slices.Contains(def.Metrics, m) && !slices.Contains(check.Common, m):
		return check.Errorf(check.Internal, "a defect of hmad: %s reports the metric %s, which it does not declare", def.Name, m.Name)
	case m.Kind != check.Gauge:
		return check.Errorf(check.Internal, "a defect of hmad: %s reports the %s %s; a report carries gauges only", def.Name, m.Kind, m.Name)
	case len(s.Labels) != len(m.Labels):
		return check.Errorf(check.Internal, "a defect of hmad: %s reports %s with %d label values where it has %d labels", def.Name, m.Name, len(s.Labels), len(m.Labels))
	}
	return nil
}

// accepted marks the findings that a waiver covers at the given moment, with a
// note for each reason.
func accepted(c *check.Check, report check.Report, at time.Time) check.Report {
	if len(c.Accept) == 0 {
		return report
	}
	report.Findings = slices.Clone(report.Findings) // the check may keep its own
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

// waiver gives the note of the waiver that accepts the reason, if one does.
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
