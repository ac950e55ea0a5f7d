package probes

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"

	"github.com/hmad/hmad/internal/check"
)

// secondAgent is the User-Agent of the question that is put once more where a
// filter may have refused the first one for its User-Agent.
const secondAgent = "Mozilla/5.0 (compatible; mail endpoint check)"

// secondTry is how a refused question is put once more, and what to say where it is
// answered then.
type secondTry struct {
	maxTLS uint16 // 0: any version
	agent  string // empty: hmad's own
	note   string
}

// others returns how v's question is put once more. Of TLS 1.3 Go's client does not
// know the request for a certificate after the handshake (RFC 8446 section 4.6.2),
// on which a server refuses it that wants one for some paths.
func (r *route) others(v Visit) (all []secondTry) {
	if v.tls == tls.VersionTLS13 {
		all = append(all, secondTry{maxTLS: tls.VersionTLS12, note: "refuses hmad's TLS 1.3, which cannot be asked for a client " +
			"certificate after the handshake, and answers over TLS 1.2; Microsoft's client may use either"})
	}
	if r.UserAgent() != secondAgent {
		all = append(all, secondTry{agent: secondAgent, note: "refuses hmad's User-Agent, which phones and Microsoft's services do not send, and answers another " +
			"one: allow it on the device, or set `user_agent`"})
	}
	return all
}

// asAnother asks v's address the requests once more where what was refused may be
// hmad's own: its TLS 1.3, or its User-Agent. It returns a visit that was not
// refused, for it shows what clients meet, and only where hmad's own question is
// refused again after it: an endpoint that answers now and then is at fault. Else it
// returns v. The error is of a refusal that is known to concern hmad's TLS alone.
func (r *route) asAnother(ctx context.Context, v Visit, reqs ...*http.Request) (Visit, error) {
	if !v.refused() {
		return v, nil
	}
	for _, o := range r.others(v) {
		if again, taken := r.takenAs(ctx, v, o, reqs...); taken {
			again.refusedFirst = o.note + ". The refusal: " + check.Clean(v.refusal(), maxDetail)
			return again, nil
		}
	}
	if len(v.Answers) > 0 && bytes.Contains(bytes.ToLower(v.Answers[0].Body), postHandshake) {
		return v, check.Errorf(check.Other, "%s asks for a client certificate after the handshake of TLS 1.3, which hmad's client does not know and "+
			"Microsoft's may", v.peer())
	}
	return v, nil
}

// ownRounds is how often hmad's own question is put again before its refusal is
// taken for one of hmad alone: behind one address several servers may take turns.
const ownRounds = 3

// takenAs reports whether v's requests are answered when they are put so, before
// and after hmad's own are refused each time.
func (r *route) takenAs(ctx context.Context, v Visit, o secondTry, reqs ...*http.Request) (Visit, bool) {
	w := v.way
	w.maxTLS = o.maxTLS
	other := withAgent(reqs, o.agent)
	again, err := r.visit(ctx, w, other...)
	if err != nil || !again.taken() {
		return again, false
	}
	for range ownRounds {
		if own, err := r.visit(ctx, v.way, reqs...); err != nil || !own.refused() {
			return again, false
		}
	}
	again, err = r.visit(ctx, w, other...)
	return again, err == nil && again.taken()
}

// taken reports whether the visit's first request got an answer that is no
// filter's refusal.
func (v Visit) taken() bool { return !v.refused() && (len(v.Answers) > 0 || v.certificateAsked) }

// postHandshake is in Apache's page about a client that cannot be asked so (mod_ssl,
// «Reason: Cannot perform Post-Handshake Authentication»).
var postHandshake = []byte("post-handshake authentication")

// refused reports whether a filter may have answered the visit's first request,
// or closed the connection in its stead: so do those that know a monitor by its
// User-Agent.
func (v Visit) refused() bool {
	if len(v.Answers) == 0 {
		return v.hungUp
	}
	a := v.Answers[0]
	switch {
	case a.Status == http.StatusUnauthorized:
		return false
	case a.Status == http.StatusOK, a.Status == http.StatusServiceUnavailable:
		return isPage(a)
	default:
		return a.Status/100 == 4
	}
}

// refusal words how the first request was refused.
func (v Visit) refusal() string {
	if len(v.Answers) == 0 {
		return v.Faults[len(v.Faults)-1].Detail
	}
	a := v.Answers[0]
	cs, _ := a.challenges()
	return statusLine(a) + fingerprint(a, cs).behind()
}

// noteRefused tells of a refusal that concerned hmad alone.
func (v Visit) noteRefused(verdict *check.Verdict) {
	if v.refusedFirst != "" {
		verdict.Note("%s %s", v.peer(), v.refusedFirst)
	}
}

// withAgent returns the requests with another User-Agent; empty: as they are.
func withAgent(reqs []*http.Request, agent string) []*http.Request {
	if agent == "" {
		return reqs
	}
	out := make([]*http.Request, len(reqs))
	for i, req := range reqs {
		other := *req
		other.Header = req.Header.Clone()
		other.Header.Set("User-Agent", agent)
		out[i] = &other
	}
	return out
}
