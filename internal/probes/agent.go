package probes

import (
	"context"
	"net/http"

	"github.com/hmad/hmad/internal/check"
)

// secondAgent is the User-Agent of the question that is put once more where a
// filter may have refused the first one for its User-Agent.
const secondAgent = "Mozilla/5.0 (compatible; mail endpoint check)"

// asAnother asks v's address the requests once more, with another User-Agent,
// where the first one may be what was refused. It returns the second visit where
// that one was not refused, for it shows what clients meet; else v.
func (r *route) asAnother(ctx context.Context, v Visit, reqs ...*http.Request) Visit {
	if !v.refused() || r.UserAgent() == secondAgent {
		return v
	}
	again, err := r.visit(ctx, v.way, withAgent(reqs, secondAgent)...)
	if err != nil || again.refused() || len(again.Answers) == 0 {
		return v
	}
	again.agentRefused = v.refusal()
	return again
}

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

// noteAgent tells of a User-Agent that was refused.
func (v Visit) noteAgent(verdict *check.Verdict) {
	if v.agentRefused != "" {
		verdict.Note("%s refuses hmad's User-Agent, which phones and Microsoft's services do not send, and answers another one: allow it on the device, "+
			"or set `user_agent`. The refusal: %s", v.peer(), check.Clean(v.agentRefused, maxDetail))
	}
}

// withAgent returns the requests with another User-Agent.
func withAgent(reqs []*http.Request, agent string) []*http.Request {
	out := make([]*http.Request, len(reqs))
	for i, req := range reqs {
		other := *req
		other.Header = req.Header.Clone()
		other.Header.Set("User-Agent", agent)
		out[i] = &other
	}
	return out
}
