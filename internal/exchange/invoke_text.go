package exchange

import (
	"regexp"
	"strings"
)

const maxErrorText = 300 // runes of Exchange's text in an error

// quoted is a text in quotes: objects' names stand so. A quote within a word
// is none.
var quoted = regexp.MustCompile(`(?:^|[\s(\[=:,;])(['"“‘])(.{1,400}?)(['"”’])(?:$|[\s.,;:)\]])`)

// urlAddress is an address as URLs spell it.
var urlAddress = regexp.MustCompile(`[^\s"'<>]+%40[^\s"'<>]+`)

// clean makes a text of Exchange fit to be shown: one short line without the
// token, the identities that were asked for, addresses and what else stands in
// quotes, which is names; the cmdlet's own name stays.
func (q question) clean(s, token string) string {
	if len(s) > 8192 {
		s = s[:8192]
	}
	if token != "" {
		s = strings.ReplaceAll(s, token, "(token)")
	}
	s = withoutSecrets(s)
	s = urlAddress.ReplaceAllString(s, "(address)")
	for _, hidden := range q.hidden {
		s = replaceFold(s, hidden, "(identity)")
	}
	return cut(q.unquote(s), maxErrorText)
}

func (q question) unquote(s string) string {
	var b strings.Builder
	for {
		m := quoted.FindStringSubmatchIndex(s)
		if m == nil {
			return b.String() + s
		}
		switch text := s[m[4]:m[5]]; text {
		case q.cmdlet, "(identity)", "(address)", "(token)":
			b.WriteString(s[:m[7]])
		default:
			b.WriteString(s[:m[2]] + "'…'")
		}
		s = s[m[7]:] // what ends one quotation may begin the next
	}
}

// replaceFold replaces old wherever it stands, ignoring case. Texts of few
// letters stay: they are in every word.
func replaceFold(s, old, new string) string {
	if len(old) < 4 {
		return s
	}
	return regexp.MustCompile(`(?i)`+regexp.QuoteMeta(old)).ReplaceAllLiteralString(s, new)
}
