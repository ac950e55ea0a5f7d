package probes

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// SchemeOffered tells which authentication schemes the endpoint offers.
var SchemeOffered = &check.Metric{Name: "hmad_challenge_scheme_offered", Kind: check.Gauge, Labels: []string{"scheme", "address"},
	Help: "1 when the ActiveSync endpoint's answer offered the authentication scheme (bearer, basic, negotiate, ntlm, digest, other), else 0; address is empty unless several addresses were asked."}

// ActiveSync is the check of the phone's second question: where does one sign
// in for this endpoint (the guide's connection flow, step 2)?
var ActiveSync = &check.Def{
	Name: "activesync",
	Doc: "Asks the ActiveSync endpoint with an empty bearer token, once for the host and once for the probe mailbox, and reads the 401 challenge in full: " +
		"it must be Exchange's own and send phones to Microsoft Entra. Every address of the name and every configured front end is asked over a fresh connection.",
	Every:   "*/5 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{check.Phase, CertificateNotAfter, SchemeOffered, ExchangeBuild},
	Reasons: activesyncReasons,
	New: func(t config.Target, env check.Env) (check.Parts, error) {
		a, err := newActiveSync(t, env)
		if err != nil {
			return check.Parts{}, err
		}
		return check.Parts{Run: check.Reporting(a.run), Doubt: check.Doubting(doubt(env))}, nil
	},
}

// activesync is the compiled check of one target.
type activesync struct {
	route        *route
	url          *url.URL // nil: AutoDiscover gives it
	autodiscover *autodiscover
	members      []string
	mailbox      string
	tenant       string
	env          check.Env
}

func newActiveSync(t config.Target, env check.Env) (*activesync, error) {
	r, err := newRoute(t, env)
	if err != nil {
		return nil, err
	}
	u, err := configuredURL(t)
	if err != nil {
		return nil, err
	}
	for i, m := range t.ActiveSync.Members {
		if _, err := parseMember(m); err != nil {
			return nil, config.Invalid(fmt.Sprintf("activesync.members[%d]", i), "%s", err)
		}
	}
	a := &activesync{route: r, url: u, members: t.ActiveSync.Members, mailbox: t.Mailbox, tenant: t.Tenant, env: env}
	if u == nil {
		a.autodiscover, err = newAutodiscover(t, env)
	}
	return a, err
}

// endpoint returns the URL to ask: the configured one, else the one that
// AutoDiscover gave last, else the one that it gives now. The notes say which;
// with an error they say what AutoDiscover was asked.
func (a *activesync) endpoint(ctx context.Context) (u *url.URL, notes []string, err error) {
	from := func(u *url.URL, source string) (*url.URL, []string, error) {
		return u, []string{"endpoint: " + check.Clean(shownURL(u), maxDetail) + ", " + source}, nil
	}
	if a.url != nil {
		return from(a.url, "configured")
	}
	var kept string
	if a.env.Memory.Get(rememberedURL, &kept) {
		if u, err := url.Parse(kept); err == nil && u.Scheme == "https" && u.Hostname() != "" {
			return from(u, "given by AutoDiscover before")
		}
	}
	seen, err := a.autodiscover.ask(ctx)
	switch {
	case err != nil:
		return nil, seen.notes, err
	case seen.given == nil:
		told := report(autodiscoverReasons, seen.verdict, seen.visits, seen.notes)
		return nil, told.Texts(), check.Skip("no ActiveSync URL is configured and AutoDiscover gives none: %s", seen.why())
	default:
		return from(seen.given, "given by AutoDiscover now")
	}
}

// why returns the name of the reason that was found, for the error of a check
// that needs the URL. The detail may hold the mailbox's address, which no error
// may.
func (s asked) why() string {
	if len(s.findings) == 0 {
		return "no finding"
	}
	return s.findings[0].Reason.Name
}

// run looks once at every address.
func (a *activesync) run(ctx context.Context) (check.Report, error) {
	u, notes, err := a.endpoint(ctx)
	if err != nil {
		return check.Report{Notes: check.Notes(notes...)}, err
	}
	ws, faults, more, err := a.route.ways(ctx, u, a.members...)
	notes = append(notes, more...)
	if len(ws) == 0 {
		notes = append(notes, a.route.repeat(a.requests(u)...)...)
	}
	if err != nil {
		return check.Report{Notes: check.Notes(notes...)}, err
	}
	if len(ws) == 0 {
		return unvisited(activesyncReasons, faults, notes), nil
	}
	visits, more, err := a.route.visitAll(ctx, ws, a.requests(u)...)
	notes = append(notes, more...)
	if err != nil {
		notes = append(notes, a.route.repeat(a.requests(u)...)...)
	}
	if len(visits) == 0 {
		return unvisited(activesyncReasons, faults, notes), err
	}
	v := a.judge(visits).add(verdict{findings: faults})
	out := report(activesyncReasons, v, visits, notes)
	out.Samples = slices.Concat(out.Samples, schemeSamples(visits), a.builds(visits))
	return out, err
}

// requests are the empty bearer for the host and for the mailbox. Go leaves
// out the blank after «Bearer» that Microsoft's script sends; Exchange treats
// both alike (domain notes, section 3.1).
func (a *activesync) requests(u *url.URL) []*http.Request {
	return []*http.Request{
		a.route.get(u, "Accept", "application/json", "Authorization", "Bearer"),
		a.route.get(u, "Accept", "application/json", "Authorization", "Bearer", "X-User-Identity", a.mailbox),
	}
}

// judge judges every address and what they say together.
func (a *activesync) judge(visits []Visit) verdict {
	var all []addressed
	for _, v := range visits {
		all = append(all, a.judgeVisit(v))
	}
	return agree(activesyncReasons, all)
}

func (a *activesync) judgeVisit(v Visit) addressed {
	answers := v.whole()
	if len(answers) == 0 {
		return addressed{address: v.peer(), verdict: v.cutShort(activesyncReasons)}
	}
	seen := challenged{host: answers[0], tenant: a.tenant}
	if len(answers) > 1 {
		seen.mailbox = answers[1]
	}
	return addressed{v.peer(), true, verdict{findings: v.Faults}.add(judgeActiveSync(seen))}
}

// challengeSchemes are the values of the label scheme; the last stands for all
// that the others do not name.
var challengeSchemes = []string{"bearer", "basic", "negotiate", "ntlm", "digest", "other"}

// schemeSamples returns what each address's answer offers; nothing of one that
// did not answer.
func schemeSamples(visits []Visit) []check.Sample {
	var out []check.Sample
	for _, v := range visits {
		answers := v.whole()
		if len(answers) == 0 {
			continue
		}
		address := ""
		if len(visits) > 1 {
			address = v.peer()
		}
		offered := offeredSchemes(answers[0])
		for _, s := range challengeSchemes {
			out = append(out, check.Sample{Metric: SchemeOffered, Value: offered[s], Labels: []string{s, address}})
		}
	}
	return out
}

// offeredSchemes returns 1 for each of challengeSchemes that the answer offers.
func offeredSchemes(a *Answer) map[string]float64 {
	offered := map[string]float64{}
	cs, _ := a.challenges()
	for _, c := range cs {
		i := slices.IndexFunc(challengeSchemes, c.Is)
		if i < 0 {
			i = len(challengeSchemes) - 1
		}
		offered[challengeSchemes[i]] = 1
	}
	return offered
}
