package probes

import (
	"context"
	"slices"

	"github.com/hmad/hmad/internal/check"
)

// whole gives the answers that were read to their end.
func (v Visit) whole() []*Answer {
	if v.Ended && len(v.Answers) == len(v.asked) && len(v.Answers) > 0 {
		return v.Answers[:len(v.Answers)-1]
	}
	return v.Answers
}

// cutShort is the verdict of a visit that ended before there was an answer.
func (v Visit) cutShort(reasons []*check.Reason) verdict {
	return verdict{findings: v.Faults, unevaluated: check.After(reasons, v.Faults[len(v.Faults)-1].Reason)}
}

// doubt gives the function that asks whether our own side is to blame for
// transport findings: nil where the target does not share its way out. What
// cannot be laid at the customer's door is taken back.
func doubt(env check.Env) func(context.Context, check.Report) (check.Report, error) {
	if env.Vantage == nil {
		return nil
	}
	return func(ctx context.Context, r check.Report) (check.Report, error) {
		doubtful := func(f check.Finding) bool {
			return f.Reason.Confirm && slices.Contains(transportReasons, f.Reason)
		}
		if !slices.ContainsFunc(r.Findings, doubtful) {
			return r, nil
		}
		err := env.Vantage(ctx)
		if err == nil {
			return r, nil
		}
		var kept []check.Finding
		for _, f := range r.Findings {
			if doubtful(f) {
				r.Unjudged = append(slices.Clone(r.Unjudged), check.Unjudged{Reason: f.Reason, Why: err.Error()})
				r.Notes = append(slices.Clone(r.Notes), check.Notes("taken back, our own way out is closed: "+f.Reason.Name+": "+f.Detail)...)
				continue
			}
			kept = append(kept, f)
		}
		r.Findings = kept
		return r, check.Errorf(check.VantageOffline, "what was found is taken back: %w", err)
	}
}

// unvisited is the report of a run that came to no visit: nothing but the
// faults, of which there may be none, is known.
func unvisited(reasons []*check.Reason, faults []check.Finding, notes []string) check.Report {
	if len(faults) == 0 {
		return check.Report{Notes: check.Notes(notes...)}
	}
	return report(reasons, stop(reasons, faults[0]), nil, notes)
}

// report stamps a verdict into a report, in the order of judgement.
func report(reasons []*check.Reason, v verdict, visits []Visit, notes []string) check.Report {
	v = v.in(reasons)
	notes = append(notes, v.notes...)
	for _, x := range visits {
		notes = append(notes, x.notes()...)
	}
	return check.Report{Findings: v.findings, Unjudged: check.Unevaluated(v.unevaluated...), Samples: samples(visits), Notes: check.Notes(notes...)}
}
