package probes

import (
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// addressed is one address's verdict.
type addressed struct {
	address  string // "192.0.2.10:443"
	answered bool   // whether there was an answer to judge
	verdict
}

// unite joins the verdicts of several addresses by reason: what any of them
// shows is found, what any of them could not show is not said to be absent.
// With more than one address the details name them.
func unite(reasons []*check.Reason, all []addressed) verdict {
	var out verdict
	for _, r := range reasons {
		if f, ok := uniteReason(r, all); ok {
			out.findings = append(out.findings, f)
		}
	}
	for _, a := range all {
		out.unevaluated = append(out.unevaluated, a.unevaluated...)
		for _, n := range a.notes {
			if len(all) > 1 {
				n = a.address + ": " + n
			}
			out.notes = append(out.notes, n)
		}
	}
	return out.in(reasons)
}

// uniteReason joins the findings of one reason, addresses of equal details
// together.
func uniteReason(r *check.Reason, all []addressed) (check.Finding, bool) {
	var details []string
	at := map[string][]string{}
	for _, a := range all {
		for _, f := range a.findings {
			if f.Reason != r {
				continue
			}
			if !slices.Contains(details, f.Detail) {
				details = append(details, f.Detail)
			}
			if !slices.Contains(at[f.Detail], a.address) {
				at[f.Detail] = append(at[f.Detail], a.address)
			}
		}
	}
	for i, d := range details {
		if len(all) > 1 {
			details[i] = strings.Join(at[d], ", ") + ": " + d
		}
	}
	return found(r, "%s", strings.Join(details, "; ")), len(details) > 0
}

// agree joins the verdicts of the addresses and front ends behind one
// ActiveSync name. Where some are healthy, the critical findings of the others
// become one addresses_disagree, because what a phone meets is then a matter of
// luck; the reasons themselves are left unevaluated. Where none is, each stands
// under its own reason, whose fix is the one that helps: no address is left
// that the others could be made alike to. Warnings are united.
func agree(reasons []*check.Reason, all []addressed) verdict {
	sick := 0
	for _, a := range all {
		if a.critical() {
			sick++
		}
	}
	if 0 < sick && sick < len(all) {
		return disagree(reasons, all)
	}
	out := unite(reasons, all)
	if len(all) < 2 || !alike(all) {
		return out.add(verdict{unevaluated: []*check.Reason{addressesDisagree}}).in(reasons)
	}
	out.unevaluated = without(out.unevaluated, addressesDisagree)
	return out
}

// disagree is agree's verdict on addresses of which some are healthy.
func disagree(reasons []*check.Reason, all []addressed) verdict {
	var odd []addressed
	rest := slices.Clone(all)
	for i, a := range all {
		if a.critical() {
			var critical verdict
			critical, rest[i].verdict = split(a.verdict)
			odd = append(odd, addressed{address: a.address, verdict: critical})
		}
	}
	out := unite(reasons, rest)
	out.unevaluated = without(out.unevaluated, addressesDisagree)
	out.findings = append(out.findings, found(addressesDisagree, "%s (of %d addresses)", words(odd), len(all)))
	for _, o := range odd {
		for _, f := range o.findings {
			out.unevaluated = append(out.unevaluated, f.Reason)
		}
	}
	return out.in(reasons)
}

func without(rs []*check.Reason, r *check.Reason) []*check.Reason {
	return slices.DeleteFunc(rs, func(x *check.Reason) bool { return x == r })
}

// alike says whether the addresses answered, and with the same critical
// findings.
func alike(all []addressed) bool {
	for _, a := range all {
		for _, f := range a.findings {
			if f.Reason.Severity == check.Critical && !everywhere(f.Reason, all) {
				return false
			}
		}
	}
	return slices.ContainsFunc(all, func(a addressed) bool { return a.answered })
}

// split parts a verdict's critical findings from all else.
func split(v verdict) (critical, rest verdict) {
	rest = verdict{unevaluated: v.unevaluated, notes: v.notes}
	for _, f := range v.findings {
		if f.Reason.Severity == check.Critical {
			critical.findings = append(critical.findings, f)
			continue
		}
		rest.findings = append(rest.findings, f)
	}
	return critical, rest
}

func everywhere(r *check.Reason, all []addressed) bool {
	return !slices.ContainsFunc(all, func(a addressed) bool { return !a.has(r) })
}

// words names the addresses and what each shows.
func words(some []addressed) string {
	var parts []string
	for _, a := range some {
		var reasons []string
		for _, f := range a.findings {
			reasons = append(reasons, f.Reason.Name)
		}
		parts = append(parts, a.address+": "+strings.Join(reasons, ", "))
	}
	return strings.Join(parts, "; ")
}
