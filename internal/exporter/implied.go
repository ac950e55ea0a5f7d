package exporter

import (
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// impliedSamples returns hmad_implied for all that stands, by target: the
// explained and the unexplained.
func impliedSamples(statuses []state.Status, causes check.Causes, hold func(check, reason string) time.Duration, now time.Time) map[check.ID][]check.Sample {
	byTarget := map[string][]check.Stands{}
	for _, st := range statuses {
		byTarget[st.ID.Target] = append(byTarget[st.ID.Target], standsOf(st, hold, now)...)
	}
	out := map[check.ID][]check.Sample{}
	for target, all := range byTarget {
		explained := causes.Explain(all)
		for _, s := range all {
			if s.Accepted {
				continue
			}
			by, value := explained[s.Name()], 0.0
			if by != "" {
				value = 1
			}
			id := check.ID{Check: s.Check, Target: target}
			out[id] = append(out[id], check.Sample{Metric: check.Implied, Value: value, Labels: []string{s.Reason, by}})
		}
	}
	return out
}

// standsOf returns what stands of a check: its findings, that it cannot tell,
// and its service level, of which the daemon knows only what would explain it.
func standsOf(st state.Status, hold func(check, reason string) time.Duration, now time.Time) []check.Stands {
	if st.Last.Start.IsZero() {
		return nil
	}
	all := []check.Stands{{Check: st.ID.Check, Reason: check.ServiceLevelReason, Severity: check.Warning, Since: now}}
	if !st.Last.Outcome().Decided() {
		all = append(all, check.Stands{Check: st.ID.Check, Reason: check.UndecidedReason, Severity: check.Warning, Since: st.Since,
			Hold: hold(st.ID.Check, check.UndecidedReason)})
	}
	if st.Decided == nil {
		return all
	}
	seen := map[string]int{}
	for _, f := range st.Decided.Report.Findings {
		name := f.Reason.Name
		if at, twice := seen[name]; twice {
			all[at].Accepted = all[at].Accepted && f.Accepted
			continue
		}
		seen[name] = len(all)
		all = append(all, check.Stands{Check: st.ID.Check, Reason: name, Severity: f.Reason.Severity, Since: st.FoundSince[name],
			Hold: hold(st.ID.Check, name), Accepted: f.Accepted})
	}
	return all
}
