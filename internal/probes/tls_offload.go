package probes

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// offloadUserAgent is fixed, whatever the target's user_agent: whoever finds
// the question in Exchange's logs shall know it at once.
const offloadUserAgent = "hmad-tls-offload"

// TLSOffload is the check whether Exchange sees the URL that clients ask for.
var TLSOffload = &check.Def{
	Name: "tls_offload",
	Off:  true,
	Doc: "Sends the ActiveSync endpoint one self-made token without value, for an audience that does not exist (" + foreignAudience + "). In its " +
		"diagnostics Exchange then names the URL that it received: " +
		"`http` means TLS offloading, another host means that the Host header was rewritten. " +
		"Documented by Microsoft: `Actual 'http://…'` in the diagnostics means TLS offloading. Inferred: Exchange always names the URL for such a " +
		"token, because it compares the audience before issuer and signature, and `https` there means TLS bridging. So a finding is based on " +
		"Microsoft's documentation, a pass on inference. If the answer names no URL, the check is undecided. " +
		"Off until enabled, because the request appears in Exchange's logs as a refused token. Its User-Agent is always " +
		"`" + offloadUserAgent + "`, whatever `user_agent` is set to. " +
		"Every address of the name and every configured front end is asked at most once an hour (`tls_offload: {every: 1h}`), also after a restart " +
		"and for «Check again»: a run within the hour repeats the verdict and shows when the request was made. A request without an answer may be " +
		"repeated once. `hmad check` keeps no state and asks each time.",
	Every:   "17 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{check.Phase, CertificateNotAfter},
	Reasons: tlsOffloadReasons,
	Facts:   connectionFactKinds,
	Steps:   []int{7},
	Sooner:  ActiveSync, // asks the same URL every few minutes
	Implies: []check.Implication{{Causes: []*check.Reason{tlsOffloaded, hostRewritten},
		Effects: []string{"onprem_sync.cloud_sync_refused", "onprem_sync.onprem_leg_stale", "mailbox_sync.sync_stale"}}},
	New: func(t config.Target, env check.Env) (check.Parts, error) {
		o, err := newTLSOffload(t, env)
		if err != nil {
			return check.Parts{}, err
		}
		return check.Parts{Run: o.run, Doubt: doubt(env)}, nil
	},
}

// tlsOffload is the compiled check of one target; its endpoint, route, members
// and tenant are the activesync check's.
type tlsOffload struct {
	*activesync
	every time.Duration
}

func newTLSOffload(t config.Target, env check.Env) (*tlsOffload, error) {
	if !t.TLSOffload.URL.IsZero() {
		// The members stand behind activesync's name, not behind this one.
		t.ActiveSync = config.ActiveSync{URL: t.TLSOffload.URL}
	}
	t.UserAgent = offloadUserAgent
	a, err := newActiveSync(t, env)
	if err != nil {
		return nil, err
	}
	return &tlsOffload{a, t.TLSOffload.Every}, nil
}

// run asks every address whose last question is old enough, and judges all.
func (o *tlsOffload) run(ctx context.Context, v *check.Verdict) {
	u := o.endpoint(ctx, v)
	if u == nil {
		return
	}
	ws := o.route.reach(ctx, v, u, o.members, tlsOffloadReasons, o.request(u, shownToken))
	if len(ws) == 0 {
		return
	}
	questions := recallQuestions(o.env.Memory, u, o.env.Now(), o.every)
	due, held := questions.split(ws)
	visits := o.ask(ctx, v, u, due)
	if len(visits) == 0 && len(due) > 0 {
		return
	}
	parts := o.judge(v, u, visits, questions)
	o.env.Memory.Put(rememberedQuestions, questions)
	for _, address := range held {
		one := v.Blank()
		questions.Asked[address].restore(one, address, o.every)
		parts = append(parts, check.Part{Name: address, Subject: u.Hostname() + " at " + address, Verdict: one})
	}
	v.Join(parts...)
	record(v, visits)
}

// ask puts the question to every way. What comes back no longer holds the
// token.
func (o *tlsOffload) ask(ctx context.Context, v *check.Verdict, u *url.URL, ws []way) []Visit {
	token := worthlessToken(o.tenant, o.env.Now())
	visits, notes, err := o.route.visitAll(ctx, ws, o.request(u, token))
	noteAll(v, notes)
	if err != nil {
		o.route.repeat(v, o.request(u, shownToken))
		v.Undecided(err)
	}
	for i, x := range visits {
		visits[i] = x.withoutToken(token)
	}
	return visits
}

func (o *tlsOffload) request(u *url.URL, token string) *http.Request {
	return o.route.get(u, "Accept", "application/json", "Authorization", "Bearer "+token)
}

// judge judges the fresh visits and keeps each question that was put.
func (o *tlsOffload) judge(v *check.Verdict, u *url.URL, visits []Visit, questions *questions) []check.Part {
	var parts []check.Part
	for _, x := range visits {
		one := v.Blank()
		unclear := x.judgeTokenRefused(one)
		answers := x.judge(one, tlsOffloadReasons)
		if len(answers) > 0 {
			unclear = judgeTLSOffload(one, u, x.peer(), answers[0])
		}
		if x.sent() {
			questions.put(x, one, len(answers) > 0, unclear, o.env.Now())
		}
		parts = append(parts, x.part(one))
	}
	return parts
}

// sent reports whether the handshake came to its end, so that the request may
// have reached somebody.
func (v Visit) sent() bool { return len(v.Answers) > 0 || v.Phases.TLS > 0 }

// shownToken stands in notes where the token without value was.
const shownToken = "<worthless token>"

// foreignAudience is no host of anybody's (RFC 2606, section 2), so Exchange
// compares it with the URL that it saw and says both.
const foreignAudience = "https://hmad-probe.invalid/"

// worthlessToken makes the token of the recipe (domain notes, section 7): the
// profile that ActiveSync allows (ver 1.0 with scp is V1AppActAs), an audience
// that fits nowhere, and bytes in the signature's place that are obviously none.
func worthlessToken(tenant string, now time.Time) string {
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // maps of text and numbers
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return strings.Join([]string{
		part(map[string]string{"alg": "RS256", "typ": "JWT"}),
		part(map[string]any{
			"ver": "1.0", "scp": "EAS.AccessAsUser.All", "tid": tenant,
			"iss": "https://sts.windows.net/" + tenant + "/", "aud": foreignAudience,
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}),
		base64.RawURLEncoding.EncodeToString([]byte("hmad tls_offload probe: this is not a signature")),
	}, ".")
}

// withoutToken takes the token out of what the visit will show: out of the
// request, and of headers that echo it.
func (v Visit) withoutToken(token string) Visit {
	for i, req := range v.asked {
		shown := *req
		shown.Header = req.Header.Clone()
		shown.Header.Set("Authorization", "Bearer "+shownToken)
		v.asked[i] = &shown
	}
	for _, a := range v.Answers {
		a.Header = replaced(a.Header, token, shownToken)
	}
	return v
}

func replaced(h http.Header, old, new string) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		for _, value := range values {
			out[name] = append(out[name], strings.ReplaceAll(value, old, new))
		}
	}
	return out
}
