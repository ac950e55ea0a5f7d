package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/transport"
)

const (
	maxDetected  = 256 << 10       // bytes of an answer of AutoDetect's
	searchPause  = 5 * time.Second // between two questions while it is still searching
	searchRounds = 3
	detectedKey  = "autodetect_answer"
	lastVisitKey = "autodetect_last_visit"
)

// AutoDetect is the check of what Microsoft's AutoDetect answers.
var AutoDetect = &check.Def{
	Name: "autodetect",
	Doc: "What does Microsoft's AutoDetect answer for the probe mailbox, and does it get through to AutoDiscover on premises? AutoDetect tells the phone " +
		"where to sign in. With `autodetect: {ask: true}` the check asks it at most once an hour (`autodetect.every`), also after a restart; the address " +
		"goes to the host of `autodetect.url`, in a header, without any token. Without that it asks nobody. Whenever the on-premises reports count " +
		"AutoDetect's own visits to AutoDiscover, these are judged: by its GETs for JSON alone, because its POST to autodiscover.xml normally meets 401. " +
		"Its host has changed without notice, and the forms of its answers are known from public captures: so all reasons are warnings.",
	Needs:   config.AutoDetectNeeds,
	Every:   "23 * * * *",
	Timeout: time.Minute,
	Metrics: []*check.Metric{AutoDetectLastVisit, AutoDetectVisits},
	Reasons: []*check.Reason{onpremMissing, onpremWrong, authorityForeign, legacyOnly, cannotReach, detectNotFound, visitsRefused},
	Steps:   []int{1, 2},
	Sends:   sendsToAutoDetect,
	New:     newAutoDetect,
}

// AutoDetectLastVisit dates AutoDetect's newest visit.
var AutoDetectLastVisit = &check.Metric{Name: "hmad_autodetect_last_visit_timestamp_seconds", Kind: check.Gauge,
	Help: "Unix time of AutoDetect's newest request to AutoDiscover on premises that a report has shown; absent until one has."}

// AutoDetectVisits counts AutoDetect's visits.
var AutoDetectVisits = &check.Metric{Name: "hmad_autodetect_visits", Kind: check.Gauge, Labels: []string{"result"},
	Help: "AutoDetect's requests for JSON to AutoDiscover on premises in the time that the newest reports cover (an hour by default), by result: answered " +
		"or refused."}

// autoDetect is the compiled check of one target.
type autoDetect struct {
	env        check.Env
	ask        bool
	urls       []*url.URL
	every      time.Duration
	mailbox    string
	activesync *url.URL
	client     *http.Client
	hosts      []string // that must report
	reports    func() ([]report.Arrived, error)
}

func newAutoDetect(t config.Target, env check.Env) (check.Parts, error) {
	s := t.AutoDetect
	if !s.Ask && env.Reports == "" {
		return check.Parts{}, nil
	}
	way, err := transport.New(t, env)
	if err != nil {
		return check.Parts{}, err
	}
	a := &autoDetect{env: env, ask: s.Ask, every: s.Every, mailbox: t.Mailbox, activesync: t.ActiveSync.URL.Value(), client: unfollowing(way),
		hosts: t.OnPrem.Report.Hosts, reports: report.Of(env, t.OnPrem.Report.Hosts)}
	for _, u := range []config.URL{s.URL, s.FallbackURL} {
		if !u.IsZero() {
			a.urls = append(a.urls, u.Value())
		}
	}
	return check.Parts{Run: a.run}, nil
}

func sendsToAutoDetect(t config.Target) string {
	s := t.AutoDetect
	if !s.Ask || s.URL.IsZero() {
		return "nothing to anybody"
	}
	text := "the probe mailbox's address to " + s.URL.Value().Hostname()
	if u := s.FallbackURL.Value(); u != nil {
		text += ", or to " + u.Hostname() + " where the first name is gone"
	}
	return text
}

func (a *autoDetect) run(ctx context.Context, v *check.Verdict) {
	a.judgeVisits(v)
	if !a.ask {
		v.NotApplicable("autodetect.ask is not set", askedReasons()...)
		return
	}
	v.Repeat("curl -sS -i -H " + check.ShellWord("x-email: "+a.mailbox, maxWord) + " " + check.ShellWord(detectURL(a.urls[0]).String(), maxWord))
	d, err := a.detected(ctx)
	if err != nil {
		v.Undecided(err, askedReasons()...)
		return
	}
	judgeDetected(v, a.activesync, d)
}

// askedReasons are those that AutoDetect's answer decides.
func askedReasons() []*check.Reason {
	return []*check.Reason{onpremMissing, onpremWrong, authorityForeign, legacyOnly, cannotReach, detectNotFound}
}

// detected returns AutoDetect's answer; one of less than every ago is not asked
// for again.
func (a *autoDetect) detected(ctx context.Context) (detected, error) {
	var kept detected
	now := a.env.Now()
	if a.env.Memory.Get(detectedKey, &kept) && !kept.Asked.After(now) && now.Sub(kept.Asked) < a.every {
		return kept, nil
	}
	fresh, err := a.search(ctx)
	if err != nil {
		return fresh, err
	}
	fresh.Asked = now
	a.env.Memory.Put(detectedKey, fresh)
	return fresh, nil
}

// search asks until AutoDetect has searched, three times at most.
func (a *autoDetect) search(ctx context.Context) (d detected, err error) {
	for round := range searchRounds {
		if d, err = a.askOnce(ctx); err != nil || d.Status != http.StatusAccepted || round == searchRounds-1 {
			return d, err
		}
		if !check.Pause(ctx, searchPause) {
			return d, ctx.Err()
		}
	}
	return d, err
}

// askOnce puts the question to the first host that DNS knows.
func (a *autoDetect) askOnce(ctx context.Context) (d detected, err error) {
	for _, u := range a.urls {
		answer, failed := transport.Get(ctx, a.client, transport.Request{URL: detectURL(u).String(), Max: maxDetected,
			Header: http.Header{"Accept": {"application/json"}, "X-Email": {a.mailbox}}})
		if failed == nil {
			return readDetected(answer, u.Hostname())
		}
		var dns *net.DNSError
		if !errors.As(failed, &dns) || !dns.IsNotFound {
			return d, notAsked(u.Hostname(), failed)
		}
		if err == nil {
			err = check.Errorf(check.Service, "DNS has no name %s: Microsoft may have moved AutoDetect; if so, set autodetect.url", u.Hostname())
		}
	}
	return d, err
}

// detectURL adds what AutoDetect is asked for (Microsoft's support script for
// Outlook mobile).
func detectURL(u *url.URL) *url.URL {
	q := *u
	q.RawQuery = "services=office365,outlook,google,icloud,yahoo&protocols=rest-cloud,rest-outlook,rest-office365,eas,imap,smtp"
	return &q
}

// judgeVisits judges AutoDetect's own visits, by the newest report of each server.
func (a *autoDetect) judgeVisits(v *check.Verdict) {
	if a.env.Reports == "" {
		v.NotApplicable("no on-premises reports are configured", visitsRefused)
		return
	}
	arrived, err := a.reports()
	evidence := report.EvidenceOf(arrived, a.env.Now(), a.hosts...)
	if err == nil && len(evidence.Reports) == 0 {
		err = evidence.Err()
	}
	if err != nil && a.ask {
		v.Open("no report to judge by: "+err.Error(), visitsRefused)
		return
	}
	if err != nil {
		v.Undecided(check.Skip("no report to judge by: %s", err), visitsRefused)
		return
	}
	seen := visitsOf(evidence.Reports)
	var last time.Time
	a.env.Memory.Get(lastVisitKey, &last)
	if seen.last.After(last) {
		last = seen.last
		a.env.Memory.Put(lastVisitKey, last)
	}
	if !last.IsZero() {
		v.Sample(AutoDetectLastVisit, float64(last.Unix()))
		v.Note("AutoDetect was last seen at AutoDiscover on premises at %s", check.Moment(last))
	}
	seen.judge(v)
}

// visits are AutoDetect's GETs for JSON at all servers.
type visits struct {
	counted  int // servers whose reports count them
	answered int
	refused  map[int]int // by status
	worst    []string    // the servers that refused, most first
	last     time.Time
	unread   error
}

// visitsOf adds up what the reports count.
func visitsOf(all []report.Report) visits {
	out := visits{refused: map[int]int{}}
	by := map[string]int{}
	for _, r := range all {
		seen, err := r.AutoDetectVisits()
		if errors.Is(err, report.ErrMissing) {
			continue
		}
		if err != nil {
			out.unread = err
			continue
		}
		out.counted++
		if seen.Last.After(out.last) {
			out.last = seen.Last
		}
		for _, c := range seen.Counts {
			if c.Method != http.MethodGet || c.Document != "json" {
				continue
			}
			if through(c.Status) {
				out.answered += c.Count
			} else if c.Count > 0 {
				out.refused[c.Status] += c.Count
				by[r.Host] += c.Count
			}
		}
	}
	out.worst = mostFirst(by)
	return out
}

// through reports whether AutoDetect got an answer that it can use: also that the
// mailbox is elsewhere, and that Exchange knows no such address.
func through(status int) bool {
	return status/100 == 2 || status/100 == 3 || status == http.StatusNotFound
}

// leastVisits is how many visits say something.
const leastVisits = 3

func (s visits) judge(v *check.Verdict) {
	refused := 0
	for _, n := range s.refused {
		refused += n
	}
	all := refused + s.answered
	if s.counted > 0 {
		v.Sample(AutoDetectVisits, float64(s.answered), "answered")
		v.Sample(AutoDetectVisits, float64(refused), "refused")
	}
	switch {
	case s.counted == 0 && s.unread != nil:
		v.Undecided(s.unread, visitsRefused)
	case s.counted == 0:
		v.Open("no report counts AutoDetect's visits: an older collector, or no front end", visitsRefused)
	case all < leastVisits:
		v.Open(fmt.Sprintf("AutoDetect came %d times in the time that the reports cover, and %d say something", all, leastVisits), visitsRefused)
	case refused*2 > all:
		v.Find(visitsRefused, s.worst, "AutoDiscover on premises refused %d of %d requests of AutoDetect (%s)", refused, all, statuses(s.refused))
	default:
		v.Clear(visitsRefused)
	}
}
