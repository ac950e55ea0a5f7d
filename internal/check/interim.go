package check

import "strings"

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
