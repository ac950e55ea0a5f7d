package probes

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/hmad/hmad/internal/check"
)

// stop is the verdict of a judgement that ended at f: nothing after f's reason
// was looked at.
func stop(reasons []*check.Reason, f check.Finding) verdict {
	return verdict{findings: []check.Finding{f}, unevaluated: check.After(reasons, f.Reason)}
}

// add joins two verdicts on the same observation.
func (v verdict) add(w verdict) verdict {
	return verdict{slices.Concat(v.findings, w.findings), slices.Concat(v.unevaluated, w.unevaluated), slices.Concat(v.notes, w.notes)}
}

// critical says whether anything critical was found.
func (v verdict) critical() bool {
	return slices.ContainsFunc(v.findings, func(f check.Finding) bool { return f.Reason.Severity == check.Critical })
}

// has says whether the reason was found.
func (v verdict) has(r *check.Reason) bool {
	return slices.ContainsFunc(v.findings, func(f check.Finding) bool { return f.Reason == r })
}

// in puts the verdict in the order of reasons, each reason unevaluated at most
// once and never one that was found, and each note once.
func (v verdict) in(reasons []*check.Reason) verdict {
	order := func(r *check.Reason) int { return slices.Index(reasons, r) }
	out := verdict{findings: slices.Clone(v.findings)}
	for _, n := range v.notes {
		if !slices.Contains(out.notes, n) {
			out.notes = append(out.notes, n)
		}
	}
	slices.SortStableFunc(out.findings, func(a, b check.Finding) int { return order(a.Reason) - order(b.Reason) })
	for _, r := range reasons {
		if slices.Contains(v.unevaluated, r) && !v.has(r) {
			out.unevaluated = append(out.unevaluated, r)
		}
	}
	return out
}

// statusLine words an answer's status, its type and where it leads.
func statusLine(a *Answer) string {
	s := fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status))
	if t := a.Header.Get("Content-Type"); t != "" {
		s += ", " + check.Clean(t, 60)
	}
	if to := a.Header.Get("Location"); to != "" {
		s += ", Location: " + shownLocation(to)
	}
	return s
}
