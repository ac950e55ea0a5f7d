package check

import (
	"context"
	"strings"
)

// Notes and Unevaluated make a Report's fields of what checks without a Verdict
// have.

// Notes returns texts as notes.
func Notes(texts ...string) []Note {
	var out []Note
	for _, t := range texts {
		switch line, timeline := strings.CutPrefix(t, "timeline: "); {
		case timeline:
			out = append(out, Note{Timeline, line})
		case strings.HasPrefix(t, "curl "):
			out = append(out, Note{Repeat, t})
		default:
			out = append(out, Note{Seen, t})
		}
	}
	return out
}

// Unevaluated returns reasons as unjudged ones.
func Unevaluated(reasons ...*Reason) []Unjudged {
	var out []Unjudged
	for _, r := range reasons {
		out = append(out, Unjudged{Reason: r, Why: "not judged"})
	}
	return out
}

// Reporting turns a function that makes a Report into one that fills a Verdict:
// a reason that the report does not mention is cleared.
func Reporting(run func(context.Context) (Report, error)) func(context.Context, *Verdict) {
	return func(ctx context.Context, v *Verdict) {
		report, err := run(ctx)
		v.fill(report, err)
	}
}

// Doubting does the same for a Doubt.
func Doubting(doubt func(context.Context, Report) (Report, error)) func(context.Context, *Verdict) {
	if doubt == nil {
		return nil
	}
	return func(ctx context.Context, v *Verdict) {
		was, err := v.Report()
		report, doubted := doubt(ctx, was)
		if doubted != nil {
			err = doubted
		}
		*v = *v.def.Judge()
		v.fill(report, err)
	}
}

// fill makes v say what the report and its error say.
func (v *Verdict) fill(report Report, err error) {
	v.Clear(v.def.Reasons...)
	for _, u := range report.Unjudged {
		v.mark(judgement{left, u.Why, u.Ends}, u.Reason)
	}
	for _, f := range report.Findings {
		v.Find(f.Reason, f.About, "%s", f.Detail)
	}
	v.Samples(report.Samples...)
	v.report.Facts = append(v.report.Facts, report.Facts...)
	v.Keep(report.Notes...)
	if err != nil {
		v.errs = append(v.errs, err)
		v.blame(err)
	}
}
