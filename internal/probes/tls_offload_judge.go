package probes

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// The reasons of the tls_offload check.
var (
	tlsOffloaded = &check.Reason{Name: "tls_offloaded", Severity: check.Critical,
		Runbook: tlsOffloadedRunbook,
		Summary: "Exchange receives plain HTTP although clients use HTTPS, so it refuses the cloud's tokens: new mail does not reach phones. TLS " +
			"offloading is not supported.",
		Fix: "Configure the load balancer to re-encrypt to Exchange (TLS bridging: port 443 on the servers, with the same certificate), and " +
			"turn off offloading for this virtual server."}
	hostRewritten = &check.Reason{Name: "host_rewritten", Severity: check.Critical,
		Runbook: hostRewrittenRunbook,
		Summary: "Exchange receives a host name other than the one that clients request, so it refuses tokens issued for the published name: new " +
			"mail does not reach phones.",
		Fix: "Configure the load balancer or reverse proxy to pass on the Host header unchanged. The name after " +
			"«Actual» in x-ms-diagnostics (`hmad check tls_offload`) is the " +
			"one that Exchange receives."}
	forgedTokenAccepted = &check.Reason{Name: "forged_token_accepted", Severity: check.Critical,
		Runbook: forgedTokenAcceptedRunbook,
		Summary: "A token without a valid signature, which anybody can make, was accepted: a device in front answers or signs in itself, or tokens " +
			"are not verified.",
		Fix: "Investigate at once. Ask each server directly (`activesync: {members: […]}`) to see which of them accepts it. Remove rules by " +
			"which a device in front answers or signs in itself. Compare %ExchangeInstallPath%\\FrontEnd\\HttpProxy\\Sync\\web.config with a " +
			"healthy server's."}
)

// tlsOffloadReasons lists every reason of the check in order of judgement.
var tlsOffloadReasons = append(transportReasons[:len(transportReasons):len(transportReasons)],
	tlsOffloaded, hostRewritten, forgedTokenAccepted,
)

// actualURL finds in Exchange's sentence «The hostname component of the
// audience claim value is invalid. Expected 'https://…'. Actual 'http://…'.»
// the URL that Exchange saw. Builds moved the sentence between numbers, so
// the text alone decides (domain notes, sections 5 and 7).
var actualURL = regexp.MustCompile(`(?i)\bactual '((https?)://[^']*)'`)

// judgeTLSOffload judges one address's answer to the token without value. An answer
// that shows nothing of what Exchange saw leaves the reasons undecided, class
// token, for the token did not serve; unclear then says what came instead.
func judgeTLSOffload(v *check.Verdict, asked *url.URL, address string, a *Answer) (unclear string) {
	offload := []*check.Reason{tlsOffloaded, hostRewritten}
	if forgedAccepted(a) {
		v.Find(forgedTokenAccepted, nil, "a token without a signature drew %s", statusLine(a))
		v.Open("Exchange did not refuse the token", offload...)
		return ""
	}
	diag := diagnosticsOf(a.Header)
	actual := actualURL.FindStringSubmatch(diag.Reason)
	if a.Status != http.StatusUnauthorized || actual == nil {
		unclear = inconclusiveText(a, diag)
		v.Undecided(inconclusive(address, unclear), tlsOffloaded, hostRewritten, forgedTokenAccepted)
		return unclear
	}
	v.Clear(forgedTokenAccepted, tlsOffloaded, hostRewritten)
	if strings.EqualFold(actual[2], "http") {
		v.Find(tlsOffloaded, nil, "x-ms-diagnostics: %s", diag)
	}
	switch saw, err := url.Parse(actual[1]); {
	case err != nil || saw.Hostname() == "":
		v.Open("the URL that Exchange saw cannot be read", hostRewritten)
	case !strings.EqualFold(saw.Hostname(), asked.Hostname()):
		v.Find(hostRewritten, nil, "asked as %s; x-ms-diagnostics: %s", asked.Hostname(), diag)
	}
	return ""
}

// judgeTokenRefused takes the fault back of a connection that was closed on the
// token: a device that does so is no fault of the endpoint, which activesync asks
// without one. unclear then says what came instead of an answer.
func (v *Visit) judgeTokenRefused(verdict *check.Verdict) (unclear string) {
	if !v.hungUp {
		return ""
	}
	last := len(v.Faults) - 1
	unclear = v.Faults[last].Detail
	v.Faults, v.Ended = v.Faults[:last], false
	verdict.Undecided(inconclusive(v.peer(), unclear), tlsOffloaded, hostRewritten, forgedTokenAccepted)
	verdict.Open("the token got no answer", responseInvalid)
	return unclear
}

// inconclusive is the error of an address whose answer shows nothing.
func inconclusive(address, text string) error {
	return check.Errorf(check.Token, "the token without value got no answer that shows what Exchange received: %s: %s", address, text)
}

// forgedAccepted: a success that is no page (a page is a device's sign-in), or
// a header that only ActiveSync behind the sign-in sends (domain notes, section
// 2.3) beside anything but a refusal.
func forgedAccepted(a *Answer) bool {
	switch {
	case cloudMark(a) != "", a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return false
	case a.Header.Get("Ms-Server-Activesync") != "":
		return true
	default:
		return a.Status/100 == 2 && !isPage(a) && !fingerprint(a, nil).signIn
	}
}

// inconclusiveText words an answer that tells nothing.
func inconclusiveText(a *Answer, diag Diagnostics) string {
	if mark := cloudMark(a); mark != "" {
		return "Microsoft's cloud answered: " + mark
	}
	text := check.Clean(statusLine(a), maxDetail)
	if diag.Number != 0 {
		return fmt.Sprintf("%s, x-ms-diagnostics: %s", text, check.Clean(diag.String(), maxDetail))
	}
	return text + " without x-ms-diagnostics" + fingerprint(a, nil).behind()
}

// rememberedQuestions is the memory's key for the questions of tls_offload.
const rememberedQuestions = "tls_offload"

// maxTries bounds how often a question that draws no answer is put: once, and
// once more to confirm it.
const maxTries = 2

// questions remembers, across restarts, when each address of a URL was asked
// and what that showed.
type questions struct {
	URL   string
	Asked map[string]question // by address
}

// question is one that was put, with the verdict on it: each reason of
// tls_offload by name stands in one of Findings, Cleared and Open.
type question struct {
	At           time.Time
	Tries        int // how often it was put in vain, this time included
	Answered     bool
	Findings     []heldFinding     `json:",omitempty"`
	Cleared      []string          `json:",omitempty"`
	Open         map[string]string `json:",omitempty"` // and why
	Inconclusive string            `json:",omitempty"` // why the answer left Open undecided
	Notes        []check.Note      `json:",omitempty"`
}

type heldFinding struct{ Reason, Detail string }

// recallQuestions returns what is remembered of u, as far as it is recent; of
// another URL nothing is.
func recallQuestions(m check.Memory, u *url.URL, now time.Time, every time.Duration) *questions {
	var qs questions
	if !m.Get(rememberedQuestions, &qs) || qs.URL != shownURL(u) || qs.Asked == nil {
		return &questions{shownURL(u), map[string]question{}}
	}
	maps.DeleteFunc(qs.Asked, func(_ string, q question) bool { return !q.recent(now, every) })
	return &qs
}

// split parts the ways into those that may be asked now and the addresses that
// may not.
func (qs *questions) split(ws []way) (due []way, held []string) {
	for _, w := range ws {
		address := (&Visit{Address: w.address, way: w}).peer()
		if qs.Asked[address].holds() {
			held = append(held, address)
			continue
		}
		due = append(due, w)
	}
	return due, held
}

// holds reports whether a recent question stands as it is.
func (q question) holds() bool { return q.Answered || q.Tries >= maxTries }

// recent reports whether it is too early to ask again. A schedule of the same
// length may start a little early, hence the slack.
func (q question) recent(now time.Time, every time.Duration) bool {
	age := now.Sub(q.At)
	return age >= 0 && age < every-min(every/60, time.Minute)
}

// put keeps a question that was put to the visit's address just now.
func (qs *questions) put(v Visit, judged *check.Verdict, answered bool, inconclusive string, now time.Time) {
	notes := judged.Blank()
	v.note(notes)
	kept, _ := notes.Report()
	q := question{At: now.UTC(), Tries: 1, Answered: answered, Inconclusive: inconclusive, Open: map[string]string{}, Notes: kept.Notes}
	if before := qs.Asked[v.peer()]; !before.Answered {
		q.Tries += before.Tries
	}
	report, _ := judged.Report()
	for _, f := range report.Findings {
		q.Findings = append(q.Findings, heldFinding{f.Reason.Name, f.Detail})
	}
	for _, u := range report.Unjudged {
		q.Open[u.Reason.Name] = u.Why
	}
	for _, r := range tlsOffloadReasons {
		if _, open := q.Open[r.Name]; !open && !judged.Found(r) {
			q.Cleared = append(q.Cleared, r.Name)
		}
	}
	qs.Asked[v.peer()] = q
}

// restore fills v with the verdict of then. A reason that this version has and
// the question's did not stays open.
func (q question) restore(v *check.Verdict, address string, every time.Duration) {
	v.Note("%s was asked at %s and is not asked again before %s: this is what it showed then", address, check.Moment(q.At), check.Moment(q.At.Add(every)))
	v.Keep(q.Notes...)
	for _, r := range tlsOffloadReasons {
		why, open := q.Open[r.Name]
		switch {
		case open && q.Inconclusive != "":
			v.Undecided(inconclusive(address, q.Inconclusive), r)
		case open:
			v.Open(why, r)
		case slices.Contains(q.Cleared, r.Name):
			v.Clear(r)
		default:
			v.Open("not asked about yet", r)
		}
		for _, f := range q.Findings {
			if f.Reason == r.Name {
				v.Find(r, nil, "%s", f.Detail)
			}
		}
	}
}
