package exporter

import (
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// maxChanges bounds how many changes of facts a target shows.
const maxChanges = 20

// cause is a finding that nothing explains, with those that it explains.
type cause struct {
	Severity, Name, Anchor string
	Since                  *moment
	Effects                []string // check.reason
}

// change is a fact that changed lately.
type change struct {
	What, Before, Now string
	At                *moment
}

// causes groups what stands at a target: each finding that nothing explains, the
// critical ones first, with what it explains.
func causes(f facts, statuses []state.Status) []cause {
	var all []check.Stands
	anchors := map[string]string{} // by check
	for _, st := range statuses {
		all = append(all, standsOf(st, f.hold, f.now)...)
		anchors[st.ID.Check] = anchor(st.ID)
	}
	explained := f.causes.Explain(all)
	var out []cause
	for _, s := range all {
		if s.Accepted || s.Reason == check.ServiceLevelReason || explained[s.Name()] != "" {
			continue
		}
		c := cause{Severity: string(s.Severity), Name: line(s.Name()), Anchor: anchors[s.Check], Since: momentOf(s.Since, f.now)}
		for _, e := range all {
			if explained[e.Name()] == s.Name() && e.Reason != check.ServiceLevelReason {
				c.Effects = append(c.Effects, line(e.Name()))
			}
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b cause) int { return strings.Compare(a.Severity, b.Severity) })
	return out
}

// changes returns the facts of a target that changed in the last 24 hours, the
// newest first.
func changes(statuses []state.Status, now time.Time) []change {
	var found []state.Fact
	for _, st := range statuses {
		for _, x := range st.Facts {
			if !x.Changed.IsZero() && now.Sub(x.Changed) < 24*time.Hour {
				found = append(found, x)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b state.Fact) int { return b.Changed.Compare(a.Changed) })
	var out []change
	for _, x := range found[:min(len(found), maxChanges)] {
		what := strings.ReplaceAll(x.Fact.Name, "_", " ")
		if x.Subject != "" {
			what += " of " + x.Subject
		}
		out = append(out, change{line(what), line(x.Before), line(x.Value), momentOf(x.Changed, now)})
	}
	return out
}
