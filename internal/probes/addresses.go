package probes

import (
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// addressed is one address's verdict.
type addressed struct {
	check.Part
	answered bool // whether there was an answer to judge
}

// agree joins the verdicts of the addresses and front ends behind one
// ActiveSync name. Where some are healthy, the critical findings of the others
// become one addresses_disagree, because what a phone meets is then a matter of
// luck. Where none is, each stands under its own reason, whose fix is the one
// that helps: no address is left that the others could be made alike to.
func agree(v *check.Verdict, all []addressed) {
	var parts []check.Part
	var sick []addressed
	for _, a := range all {
		parts = append(parts, a.Part)
		if a.Failed() {
			sick = append(sick, a)
		}
	}
	v.Join(parts...)
	switch {
	case len(all) < 2:
		v.NotApplicable("one address was asked", addressesDisagree)
	case 0 < len(sick) && len(sick) < len(all):
		v.Find(addressesDisagree, subjects(sick), "%s (of %d addresses)", words(sick), len(all))
		v.Supersede(addressesDisagree, criticals(sick)...)
	case alike(all):
		v.Clear(addressesDisagree)
	default:
		v.Open("every address fails, each in its own way", addressesDisagree)
	}
}

// alike reports whether the addresses answered, and with the same critical
// findings.
func alike(all []addressed) bool {
	for _, r := range criticals(all) {
		if slices.ContainsFunc(all, func(a addressed) bool { return !a.Found(r) }) {
			return false
		}
	}
	return slices.ContainsFunc(all, func(a addressed) bool { return a.answered })
}

// criticals returns the critical reasons that any of the addresses shows, each
// once.
func criticals(all []addressed) []*check.Reason {
	var out []*check.Reason
	for _, a := range all {
		for _, f := range a.Findings() {
			if f.Reason.Severity == check.Critical && !slices.Contains(out, f.Reason) {
				out = append(out, f.Reason)
			}
		}
	}
	return out
}

func subjects(some []addressed) []string {
	var out []string
	for _, a := range some {
		out = append(out, a.Subject)
	}
	return out
}

// words names the addresses and what each shows.
func words(some []addressed) string {
	var parts []string
	for _, a := range some {
		var reasons []string
		for _, r := range criticals([]addressed{a}) {
			reasons = append(reasons, r.Name)
		}
		parts = append(parts, a.Name+": "+strings.Join(reasons, ", "))
	}
	return strings.Join(parts, "; ")
}
