package probes

import (
	"net/http"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// challenged is what one address answered to an empty bearer.
type challenged struct {
	host    *Answer // asked for the host as such
	mailbox *Answer // the same with X-User-Identity; nil when it could not be asked
	tenant  string  // the configured one; "" when there is none
}

// judgeActiveSync judges both answers of one address, first match first. What
// a phone's cloud asks is the host's challenge, so that one is judged in full;
// the mailbox's is judged when the host's is good, for on some builds the
// host's shows an authorization_uri even where modern authentication is off,
// and only the pair proves it on (domain notes, section 3.1).
func judgeActiveSync(c challenged) verdict {
	v := judgeChallenge(c.host, c.tenant)
	if v.critical() || c.mailbox == nil {
		return v.add(verdict{unevaluated: []*check.Reason{mailboxOAuthOff}})
	}
	return v.add(judgeMailboxPair(judgeChallenge(c.mailbox, c.tenant)))
}

// judgeMailboxPair judges the mailbox's verdict m beside a good one of the
// host. Whatever keeps its challenge from being read is found under its own
// name and leaves the pair unjudged.
func judgeMailboxPair(m verdict) verdict {
	off := []*check.Reason{oauthNotAvailable, authorizationURIMissing, authorizationURIForeign, bearerMissing, challengeMissing}
	out := verdict{notes: m.notes}
	for _, f := range m.findings {
		switch {
		case f.Reason.Severity != check.Critical: // the host's answer has said it
		case slices.Contains(off, f.Reason):
			return verdict{findings: []check.Finding{found(mailboxOAuthOff, "the host's challenge is good, but with X-User-Identity: %s: %s", f.Reason.Name, f.Detail)}}
		default:
			out.findings = append(out.findings, found(f.Reason, "with X-User-Identity: %s", f.Detail))
			out.unevaluated = []*check.Reason{mailboxOAuthOff}
		}
	}
	return out
}

// judgeChallenge judges one answer to an empty bearer (domain notes, section
// 3.3): first whether Exchange answered 401 at all, then its challenge.
func judgeChallenge(a *Answer, tenant string) verdict {
	cs, err := a.challenges()
	if f, stopped := judgeAnswerer(a, cs); stopped {
		return stop(activesyncReasons, f)
	}
	var v verdict
	switch {
	case err != nil && bearerUnhurt(cs, err):
		v.notes = []string{check.Clean("WWW-Authenticate: "+err.Error(), maxDetail) + "; Exchange's Bearer challenge is whole"}
	case err != nil:
		return stop(activesyncReasons, found(responseInvalid, "WWW-Authenticate: %v", err))
	}
	bearer := exchangeBearer(cs)
	if bearer == nil {
		bearer = scheme(cs, "Bearer")
	}
	if bearer == nil {
		return stop(activesyncReasons, judgeNoBearer(a, cs))
	}
	return v.add(judgeBearer(*bearer, diagnosticsOf(a.Header), tenant))
}

// bearerUnhurt says whether err, from parsing the challenges cs, leaves
// Exchange's own whole: a syntax error in a challenge of another scheme, which
// phones do not look at. A broken Bearer could be the one that they take.
func bearerUnhurt(cs []Challenge, err error) bool {
	broken := func(c Challenge) bool { return c.Broken && c.Is("Bearer") }
	return isSyntax(err) && exchangeBearer(cs) != nil && !slices.ContainsFunc(cs, broken)
}

// judgeAnswerer finds what keeps a challenge from being looked at: someone
// other than the on-premises Exchange answered, or the status is not 401.
func judgeAnswerer(a *Answer, cs []Challenge) (f check.Finding, stopped bool) {
	d, exchange := fingerprint(a, cs), exchangeAnswered(a, cs)
	mark := cloudAnswerer(a, cs)
	if to := locationHost(a); mark == "" && isCloudHost(to) {
		mark = "redirect to " + to
	}
	switch {
	case mark != "":
		return found(activesyncPointsToCloud, "Microsoft's cloud answered: %s", mark), true
	case d.signIn && !exchange && a.Status < 500:
		return found(activesyncPreauthDevice, "%s answered %s", d.name, statusLine(a)), true
	case a.Status == http.StatusForbidden:
		return found(activesyncBlocked, "%s%s", statusLine(a), d.behind()), true
	case a.Status >= 500:
		return found(activesyncServerError, "%s%s", statusLine(a), d.behind()), true
	case !exchange && (leavesHost(a) || a.Status == http.StatusOK && isPage(a)):
		return found(activesyncPreauthDevice, "%s instead of a challenge%s", statusLine(a), d.behind()), true
	case a.Status != http.StatusUnauthorized:
		return found(activesyncUnexpectedStatus, "%s, wanted 401%s", statusLine(a), d.behind()), true
	default:
		return check.Finding{}, false
	}
}

// judgeNoBearer judges a 401 without a Bearer challenge: with a header of
// Exchange's beside it Exchange offers none (or something took it out),
// without one a device answered.
func judgeNoBearer(a *Answer, cs []Challenge) check.Finding {
	behind := fingerprint(a, cs).behind()
	switch offered := schemes(cs); {
	case !exchangeHeader(a) && len(cs) == 0:
		return found(activesyncPreauthDevice, "401 without WWW-Authenticate and without any header of Exchange's%s", behind)
	case len(cs) == 0:
		return found(challengeMissing, "401 without WWW-Authenticate%s", behind)
	case !exchangeHeader(a):
		return found(activesyncPreauthDevice, "401 offers only %s and bears no header of Exchange's%s", offered, behind)
	default:
		return found(bearerMissing, "401 offers only %s%s", offered, behind)
	}
}

// exchangeClientID is the application id of Exchange, which its challenge names.
const exchangeClientID = "00000002-0000-0ff1-ce00-000000000000"

// exchangeBearer gives the first Bearer challenge in Exchange's name; nil when
// there is none.
func exchangeBearer(cs []Challenge) *Challenge {
	for i, c := range cs {
		if c.Is("Bearer") && strings.EqualFold(c.Param("client_id"), exchangeClientID) {
			return &cs[i]
		}
	}
	return nil
}

// scheme gives the first challenge of a scheme; nil when there is none.
func scheme(cs []Challenge, name string) *Challenge {
	for i, c := range cs {
		if c.Is(name) {
			return &cs[i]
		}
	}
	return nil
}

// schemes names what is offered, in order, each once.
func schemes(cs []Challenge) string {
	var names []string
	for _, c := range cs {
		if !slices.ContainsFunc(names, c.Is) {
			names = append(names, c.Scheme)
		}
	}
	return strings.Join(names, ", ")
}

// cloudAnswerer names the mark by which Exchange Online is known to have
// answered; "" when there is none.
func cloudAnswerer(a *Answer, cs []Challenge) string {
	if mark := cloudMark(a); mark != "" {
		return mark
	}
	return cloudIssuers(cs)
}

// cloudIssuers says whether the challenge trusts issuers of every tenant,
// which only Microsoft's own services do.
func cloudIssuers(cs []Challenge) string {
	for _, c := range cs {
		for issuer := range strings.SplitSeq(c.Param("trusted_issuers"), ",") {
			if strings.HasSuffix(strings.TrimSpace(issuer), "@*") {
				return "trusted_issuers holds " + check.Clean(strings.TrimSpace(issuer), 80)
			}
		}
	}
	return ""
}
