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
// ActiveSync name. Critical findings that all of them show stand as they are.
// Those that only some show become one addresses_disagree, because what a
// phone meets is then a matter of luck; the reasons themselves are left
// unevaluated. Warnings are united. Where no address answered, there are no
// answers to disagree: what went wrong stands under its own names.
func agree(reasons []*check.Reason, all []addressed) verdict {
	answered := slices.ContainsFunc(all, func(a addressed) bool { return a.answered })
	if len(all) < 2 || !answered {
		return unite(reasons, all).add(verdict{unevaluated: []*check.Reason{addressesDisagree}}).in(reasons)
	}
	var odd []addressed
	common := slices.Clone(all)
	for i, a := range all {
		same, other := split(a, all)
		common[i].verdict = same
		if len(other.findings) > 0 {
			odd = append(odd, addressed{address: a.address, verdict: other})
		}
	}
	out := unite(reasons, common)
	out.unevaluated = slices.DeleteFunc(out.unevaluated, func(r *check.Reason) bool { return r == addressesDisagree })
	if len(odd) > 0 {
		out.findings = append(out.findings, found(addressesDisagree, "%s (of %d addresses)", words(odd), len(all)))
	}
	for _, o := range odd {
		out.unevaluated = append(out.unevaluated, o.unevaluated...)
	}
	return out.in(reasons)
}

// split parts what a shows into what may stand as it is and the critical
// findings that not every address shows, which are left unevaluated.
func split(a addressed, all []addressed) (same, other verdict) {
	same.unevaluated = a.unevaluated
	for _, f := range a.findings {
		if f.Reason.Severity == check.Critical && !everywhere(f.Reason, all) {
			other.findings = append(other.findings, f)
			other.unevaluated = append(other.unevaluated, f.Reason)
			continue
		}
		same.findings = append(same.findings, f)
	}
	return same, other
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
