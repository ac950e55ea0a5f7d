package check

import (
	"cmp"
	"slices"
	"strings"
)

// Part is the verdict on one of several addresses, members or servers that a
// check looks at. The name stands in the details, where there are several.
type Part struct {
	Name    string
	Subject string // what a finding that names nothing is about; empty: Name
	*Verdict
}

// Join unites verdicts of the same Def into v. What any part found is found,
// with the parts' names in the detail; a reason is clear only where no part
// found it or could not look. A reason that one part cleared and another does
// not mention is undecided: nobody looked there. Call it once, before v judges
// what concerns all parts together.
func (v *Verdict) Join(parts ...Part) {
	for _, r := range v.def.Reasons {
		v.unite(r, parts)
	}
	for _, p := range parts {
		v.adopt(p, len(parts) > 1)
	}
}

// unite joins what the parts say of one reason.
func (v *Verdict) unite(r *Reason, parts []Part) {
	strongest, silent := judgement{}, ""
	for _, p := range parts {
		j := p.judged[r]
		if j.state == unmentioned && !p.whole {
			silent = p.Name
		}
		if j.why != "" && len(parts) > 1 {
			j.why = p.Name + ": " + j.why
		}
		if j.state > strongest.state {
			strongest = j
		}
	}
	switch {
	case strongest.state == unmentioned:
	case strongest.state == found:
		detail, about := together(r, parts)
		v.mark(strongest, r)
		v.findings = append(v.findings, Finding{Reason: r, About: subjects(about), Detail: Clean(detail, MaxDetail)})
	case silent != "" && strongest.state == cleared:
		v.defect("did not judge %s at %s", r.Name, silent)
	default:
		v.mark(strongest, r)
	}
}

// together words the findings of one reason, parts of equal details together,
// and lists what they are about: the parts themselves, where a finding does not
// name others.
func together(r *Reason, parts []Part) (detail string, about []string) {
	var details []string
	at := map[string][]string{}
	for _, p := range parts {
		for _, f := range p.findings {
			if f.Reason != r {
				continue
			}
			if !slices.Contains(details, f.Detail) {
				details = append(details, f.Detail)
			}
			if !slices.Contains(at[f.Detail], p.Name) {
				at[f.Detail] = append(at[f.Detail], p.Name)
			}
			if about = append(about, f.About...); len(f.About) == 0 {
				about = append(about, cmp.Or(p.Subject, p.Name))
			}
		}
	}
	for i, d := range details {
		if len(parts) > 1 {
			details[i] = strings.Join(at[d], ", ") + ": " + d
		}
	}
	return strings.Join(details, "; "), about
}

// adopt takes over a part's errors, samples, facts and notes.
func (v *Verdict) adopt(p Part, several bool) {
	v.errs = append(v.errs, p.errs...)
	if p.whole {
		v.blame(p.why)
	}
	v.report.Samples = append(v.report.Samples, p.report.Samples...)
	v.report.Facts = append(v.report.Facts, p.report.Facts...)
	if len(v.report.Facts) > maxFacts {
		v.report.Facts = v.report.Facts[:maxFacts]
	}
	for _, n := range p.report.Notes {
		if several && n.Kind == Seen {
			n.Text = p.Name + ": " + n.Text
		}
		v.report.Notes = append(v.report.Notes, n)
	}
}
