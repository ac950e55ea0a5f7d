package probes

import (
	"context"
	"errors"
	"fmt"
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
	Doc: "Asks the ActiveSync endpoint with one self-made, worthless token for a foreign audience (" + foreignAudience + "), so that Exchange's diagnostics name the URL that it saw: " +
		"`http` means TLS offloading, another host means that the Host header is rewritten on the way. " +
		"Proven by Microsoft's documentation: the sentence with `Actual 'http://…'` means TLS offloading. " +
		"Inferred: that a token for a foreign audience always draws the sentence, because Exchange compares the audience before issuer and signature, and that `https` in it means TLS bridging. So a finding rests on Microsoft's word, a pass on inference; an answer without the sentence leaves the check undecided. " +
		"Off until enabled, for the question appears in Exchange's logs as a refused token, always with the User-Agent `" + offloadUserAgent + "`, whatever `user_agent` says. " +
		"Every address of the name and every configured front end is asked at most once an hour (`tls_offload: {every: 1h}`), also across restarts and by «check again»: a run within the hour repeats the verdict and says when it was asked. " +
		"A question that drew no answer may be put once more. `hmad check`, which has no memory, asks each time.",
	Every:   "17 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{check.Phase, CertificateNotAfter},
	Reasons: tlsOffloadReasons,
	New: func(t config.Target, env check.Env) (check.Parts, error) {
		o, err := newTLSOffload(t, env)
		if err != nil {
			return check.Parts{}, err
		}
		return check.Parts{Run: check.Reporting(o.run), Doubt: check.Doubting(doubt(env))}, nil
	},
}

// tlsOffload is the compiled check of one target; its endpoint, route, members
// and tenant are the activesync check's.
type tlsOffload struct {
	*activesync
	every time.Duration
}

func newTLSOffload(t config.Target, env check.Env) (*tlsOffload, error) {
	if t.TLSOffload.URL != "" {
		if _, err := parseURL("tls_offload.url", t.TLSOffload.URL); err != nil {
			return nil, err
		}
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
func (o *tlsOffload) run(ctx context.Context) (check.Report, error) {
	u, notes, err := o.endpoint(ctx)
	if err != nil {
		return check.Report{Notes: check.Notes(notes...)}, err
	}
	ws, faults, more, err := o.route.ways(ctx, u, o.members...)
	notes = append(notes, more...)
	if len(ws) == 0 {
		notes = append(notes, o.route.repeat(o.request(u, shownToken))...)
	}
	if err != nil {
		return check.Report{Notes: check.Notes(notes...)}, err
	}
	if len(ws) == 0 {
		return unvisited(tlsOffloadReasons, faults, notes), nil
	}
	questions := recallQuestions(o.env.Memory, u, o.env.Now(), o.every)
	due, held := questions.split(ws)
	visits, more, err := o.ask(ctx, u, due)
	notes = append(notes, more...)
	if err != nil {
		notes = append(notes, o.route.repeat(o.request(u, shownToken))...)
	}
	if err != nil && len(visits) == 0 {
		return unvisited(tlsOffloadReasons, faults, notes), err
	}
	all, why := o.judgeAll(u, visits, questions)
	o.env.Memory.Put(rememberedQuestions, questions)
	for _, address := range held {
		q := questions.Asked[address]
		all, why = append(all, q.verdict(address)), append(why, q.inconclusive(address)...)
		notes = append(notes, q.notes(address, o.every)...)
	}
	v := unite(tlsOffloadReasons, all).add(verdict{findings: faults})
	if err == nil {
		err = undecided(why)
	}
	return report(tlsOffloadReasons, v, visits, notes), err
}

// ask puts the question to every way. What comes back no longer holds the
// token.
func (o *tlsOffload) ask(ctx context.Context, u *url.URL, ws []way) ([]Visit, []string, error) {
	token := worthlessToken(o.tenant, o.env.Now())
	visits, notes, err := o.route.visitAll(ctx, ws, o.request(u, token))
	for i, v := range visits {
		visits[i] = v.withoutToken(token)
	}
	return visits, notes, err
}

func (o *tlsOffload) request(u *url.URL, token string) *http.Request {
	return o.route.get(u, "Accept", "application/json", "Authorization", "Bearer "+token)
}

// judgeAll judges the fresh visits and notes each question that was put.
func (o *tlsOffload) judgeAll(u *url.URL, visits []Visit, questions *questions) (all []addressed, why []string) {
	for _, v := range visits {
		judged, inconclusive := judgeOffloadVisit(u, v)
		all = append(all, judged)
		if inconclusive != "" {
			why = append(why, v.peer()+": "+inconclusive)
		}
		if v.sent() {
			questions.put(v, judged, inconclusive, o.env.Now())
		}
	}
	return all, why
}

func judgeOffloadVisit(u *url.URL, v Visit) (judged addressed, inconclusive string) {
	answers := v.whole()
	if len(answers) == 0 {
		return addressed{address: v.peer(), verdict: v.cutShort(tlsOffloadReasons)}, ""
	}
	w, why := judgeTLSOffload(u, answers[0])
	return addressed{v.peer(), true, verdict{findings: v.Faults}.add(w)}, why
}

// sent says whether the handshake came to its end, so that the request may
// have reached somebody.
func (v Visit) sent() bool { return len(v.Answers) > 0 || v.Phases.TLS > 0 }

// undecided is the error of a run of which some addresses told nothing. Its
// class is that of tokens that did not serve.
func undecided(why []string) error {
	if len(why) == 0 {
		return nil
	}
	err := errors.New(strings.Join(why, "; "))
	return &check.Error{Class: check.Token, Err: fmt.Errorf("the worthless token drew no answer that tells what Exchange saw: %w", err)}
}
