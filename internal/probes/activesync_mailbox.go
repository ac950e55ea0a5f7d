package probes

import (
	"slices"

	"github.com/hmad/hmad/internal/check"
)

// judgeMailboxPair judges what the mailbox's challenge showed while the host's
// is good. Whatever keeps it from being read is found under its own name and
// leaves the pair unjudged.
func judgeMailboxPair(v *check.Verdict, seen []check.Finding) {
	off := []*check.Reason{oauthNotAvailable, authorizationURIMissing, authorizationURIForeign, bearerMissing, challengeMissing}
	for _, f := range seen {
		if slices.Contains(off, f.Reason) {
			v.Find(mailboxOAuthOff, nil, "the host's challenge is good, but with X-User-Identity: %s: %s", f.Reason.Name, f.Detail)
			return
		}
	}
	for _, f := range seen {
		if slices.Contains(extraRefused, f.Reason) {
			v.Note("the host's challenge is good; a question with X-User-Identity, which hmad adds and phones do not, was refused: %s", f.Detail)
			v.Open("X-User-Identity was refused: "+f.Reason.Name, mailboxOAuthOff)
			return
		}
		if f.Reason.Severity == check.Critical { // a warning the host's answer has shown
			v.Find(f.Reason, nil, "with X-User-Identity: %s", f.Detail)
			v.Open("the mailbox's challenge could not be read: "+f.Reason.Name, mailboxOAuthOff)
		}
	}
	v.Clear(mailboxOAuthOff)
}

// extraRefused are what a device shows that lets the host's question pass and
// refuses hmad's second one: no fault of the endpoint.
var extraRefused = []*check.Reason{activesyncPreauthDevice, activesyncBlocked, activesyncUnexpectedStatus}

// judgeExtra takes the fault back that only the second question met: the host's
// was answered well, and a device that closes the connection on X-User-Identity
// is no fault of the endpoint.
func (v *Visit) judgeExtra(verdict *check.Verdict, answers int) {
	if !v.Ended || answers != 1 || verdict.Failed() {
		return
	}
	last := len(v.Faults) - 1
	if f := v.Faults[last]; f.Reason == responseInvalid {
		verdict.Note("the host's challenge is good; a question with X-User-Identity, which hmad adds and phones do not, got no answer: %s", f.Detail)
		v.Faults = v.Faults[:last]
	}
}
