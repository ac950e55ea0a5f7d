package metadata

import (
	"fmt"
	"slices"

	"github.com/hmad/hmad/internal/check"
)

// verdict is what a judgement came to: findings, reasons that could not be
// looked at, and why hmad could not tell.
type verdict struct {
	findings    []check.Finding
	unevaluated []*check.Reason
	errs        []error
}

// found adds a finding; the detail may quote what came from outside: it is
// made fit to be shown and cut.
func (v *verdict) found(r *check.Reason, format string, args ...any) {
	v.findings = append(v.findings, check.Finding{Reason: r, Detail: check.Clean(fmt.Sprintf(format, args...), maxDetail)})
}

// unknown says that reasons could not be looked at, and why; a nil error says
// that nothing is wrong with that.
func (v *verdict) unknown(err error, rs ...*check.Reason) {
	v.unevaluated = append(v.unevaluated, rs...)
	if err != nil {
		v.errs = append(v.errs, err)
	}
}

// has says whether the reason was found.
func (v *verdict) has(r *check.Reason) bool {
	return slices.ContainsFunc(v.findings, func(f check.Finding) bool { return f.Reason == r })
}

// report puts the verdict in the order of reasons, each reason unevaluated at
// most once and never one that was found, and gives the error that it leaves.
func (v *verdict) report(reasons []*check.Reason) (check.Report, error) {
	order := func(r *check.Reason) int { return slices.Index(reasons, r) }
	out := check.Report{Findings: slices.Clone(v.findings)}
	slices.SortStableFunc(out.Findings, func(a, b check.Finding) int { return order(a.Reason) - order(b.Reason) })
	for _, r := range reasons {
		if slices.Contains(v.unevaluated, r) && !v.has(r) {
			out.Unjudged = append(out.Unjudged, check.Unevaluated(r)...)
		}
	}
	return out, joined(v.errs...)
}
