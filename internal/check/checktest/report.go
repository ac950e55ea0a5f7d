package checktest

import "github.com/hmad/hmad/internal/check"

// Seen returns texts as notes of what was seen.
func Seen(texts ...string) []check.Note {
	var out []check.Note
	for _, t := range texts {
		out = append(out, check.Note{Kind: check.Seen, Text: t})
	}
	return out
}

// Unjudged returns the reasons as ones that a run did not judge.
func Unjudged(reasons ...*check.Reason) []check.Unjudged {
	var out []check.Unjudged
	for _, r := range reasons {
		out = append(out, check.Unjudged{Reason: r, Why: "not judged"})
	}
	return out
}
