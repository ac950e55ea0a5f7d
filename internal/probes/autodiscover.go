package probes

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// maxHops bounds how many redirects are followed.
const maxHops = 5

// rememberedURL is the memory's key for the ActiveSync URL that AutoDiscover
// gave last.
const rememberedURL = "activesync_url"

// Autodiscover is the check of the phone's first question: where is the
// mailbox's ActiveSync endpoint (the guide's connection flow, step 1)?
var Autodiscover = &check.Def{
	Name: "autodiscover",
	Doc: "Asks AutoDiscover for the probe mailbox's ActiveSync address, as Microsoft's AutoDetect does when an account is added: " +
		"without credentials, over a fresh connection to each address of the name. Redirects are followed to hosts that the target names, and recorded otherwise.",
	Every:   "*/5 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{check.Phase, CertificateNotAfter},
	Reasons: autodiscoverReasons,
	New: func(t config.Target, env check.Env) (check.Parts, error) {
		a, err := newAutodiscover(t, env)
		if err != nil {
			return check.Parts{}, err
		}
		return check.Parts{Run: check.Reporting(a.run), Doubt: check.Doubting(doubt(env))}, nil
	},
}

// autodiscover is the compiled check of one target.
type autodiscover struct {
	route    *route
	question *url.URL
	want     *url.URL // nil: no ActiveSync URL is configured
	named    []string // hosts that may be followed to, in lower case
	external bool
	memory   check.Memory
}

func newAutodiscover(t config.Target, env check.Env) (*autodiscover, error) {
	r, err := newRoute(t, env)
	if err != nil {
		return nil, err
	}
	want, err := configuredURL(t)
	if err != nil {
		return nil, err
	}
	question, err := parseURL("autodiscover.host", "https://"+t.Autodiscover.Host)
	if err != nil {
		return nil, err
	}
	if question.Host != t.Autodiscover.Host {
		return nil, config.Invalid("autodiscover.host", "not a host name")
	}
	question.Path = "/autodiscover/autodiscover.json"
	question.RawQuery = "Email=" + url.QueryEscape(t.Mailbox) + "&Protocol=activesync&RedirectCount=3"
	return &autodiscover{route: r, question: question, want: want, named: namedHosts(t, question, want),
		external: t.Vantage == config.External, memory: env.Memory}, nil
}

// namedHosts are the hosts that the target names, in lower case.
func namedHosts(t config.Target, question, want *url.URL) []string {
	hosts := []string{question.Hostname()}
	if want != nil {
		hosts = append(hosts, want.Hostname())
	}
	for _, h := range t.Autodiscover.RedirectHosts {
		hosts = append(hosts, (&url.URL{Host: h}).Hostname())
	}
	for i, h := range hosts {
		hosts[i] = strings.ToLower(h)
	}
	return hosts
}

// allowed says whether the target names the host: only to such ones is a
// redirect followed, because the question holds the mailbox's address.
func (a *autodiscover) allowed(host string) bool {
	return slices.Contains(a.named, strings.ToLower(host))
}

// trail is one address's way through the redirects.
type trail struct {
	visits []Visit
	hops   []*Answer
	notes  []string
}

// judge judges a trail. The URL is the one that AutoDiscover gave, nil when it
// gave none that can be asked.
func (a *autodiscover) judge(t trail) (addressed, *url.URL) {
	out := addressed{address: t.visits[0].peer()}
	last := t.visits[len(t.visits)-1]
	if last.Ended {
		out.verdict = last.cutShort(autodiscoverReasons)
		for _, v := range t.visits[:len(t.visits)-1] {
			out.findings = slices.Concat(v.Faults, out.findings)
		}
		return out, nil
	}
	out.answered = true
	for _, v := range t.visits {
		out.findings = append(out.findings, v.Faults...)
	}
	v, given := judgeAutodiscover(discovery{t.hops, a.want, a.allowed})
	out.verdict = out.add(v)
	return out, given
}

// run looks once: it asks every address, judges, and remembers the URL.
func (a *autodiscover) run(ctx context.Context) (check.Report, error) {
	seen, err := a.ask(ctx)
	if err != nil {
		return check.Report{Notes: check.Notes(seen.notes...)}, err
	}
	if seen.given != nil {
		a.memory.Put(rememberedURL, seen.given.String())
	}
	v := seen.verdict.add(a.judgePublished(ctx, seen.given))
	return report(autodiscoverReasons, v, seen.visits, seen.notes), nil
}

// asked is what all addresses showed together.
type asked struct {
	verdict
	given  *url.URL // the ActiveSync URL, of the first address that gave one
	visits []Visit
	notes  []string
}

// ask asks every address of the AutoDiscover host at once, each to the end of
// its redirects. The error is our own side's.
func (a *autodiscover) ask(ctx context.Context) (asked, error) {
	ws, faults, notes, err := a.route.ways(ctx, a.question)
	if err != nil || len(faults) > 0 {
		notes = append(notes, a.route.repeat(a.request(a.question))...)
	}
	if err != nil {
		return asked{notes: notes}, err
	}
	if len(faults) > 0 {
		return asked{verdict: stop(autodiscoverReasons, faults[0]), notes: notes}, nil
	}
	first, more, err := a.route.visitAll(ctx, ws, a.request(a.question))
	notes = append(notes, more...)
	if err != nil {
		return asked{notes: append(notes, a.route.repeat(a.request(a.question))...)}, err
	}
	trails := make([]trail, len(first))
	errs := make([]error, len(first))
	parallel(len(first), func(i int) { trails[i], errs[i] = a.follow(ctx, first[i]) })
	if err := firstError(errs); err != nil {
		return asked{notes: append(notes, soFar(trails)...)}, err
	}
	return a.gather(trails, notes), nil
}

// soFar tells what was asked before our own side erred.
func soFar(trails []trail) (notes []string) {
	for _, t := range trails {
		for _, v := range t.visits {
			notes = append(notes, v.notes()...)
		}
		notes = append(notes, t.notes...)
	}
	return notes
}

// gather judges the trails and unites what they show.
func (a *autodiscover) gather(trails []trail, notes []string) asked {
	out := asked{notes: notes}
	var all []addressed
	for _, t := range trails {
		v, given := a.judge(t)
		all = append(all, v)
		if out.given == nil {
			out.given = given
		}
		out.visits = append(out.visits, t.visits...)
		out.notes = append(out.notes, t.notes...)
	}
	out.verdict = unite(autodiscoverReasons, all)
	return out
}

func (a *autodiscover) request(u *url.URL) *http.Request {
	return a.route.get(u, "Accept", "application/json")
}

// shown gives a request as the notes may show it. The query of a redirect may
// hold a secret of whoever made it; our own question's does not.
func (a *autodiscover) shown(req *http.Request) *http.Request {
	if q := req.URL.RawQuery; q == "" || q == a.question.RawQuery {
		return req
	}
	shown, u := *req, *req.URL
	u.RawQuery = "…"
	shown.URL = &u
	return &shown
}

// follow goes on from the first visit for as long as it is redirected to an
// https URL of a named host that was not asked yet, maxHops times at most.
func (a *autodiscover) follow(ctx context.Context, v Visit) (trail, error) {
	t := trail{}
	for {
		t.visits = append(t.visits, v)
		if v.Ended {
			return t, nil
		}
		answer := v.Answers[0]
		t.hops = append(t.hops, answer)
		next := location(answer)
		if next == nil || next.Scheme != "https" || !a.allowed(next.Hostname()) || len(t.hops) > maxHops || t.asked(next) {
			return t, nil
		}
		t.notes = append(t.notes, "redirect "+answer.URL.Host+" → "+check.Clean(shownURL(next), maxDetail))
		var err error
		if v, err = a.next(ctx, next, &t); err != nil {
			t.notes = append(t.notes, a.route.repeat(a.shown(a.request(next)))...)
			return t, err
		}
	}
}

// asked says whether the trail has been at the URL.
func (t trail) asked(u *url.URL) bool {
	return slices.ContainsFunc(t.hops, func(h *Answer) bool { return h.URL.String() == u.String() })
}

// next visits the next URL, at its first address that this host has a route to;
// with a route to none, the error is our own side's.
func (a *autodiscover) next(ctx context.Context, u *url.URL, t *trail) (Visit, error) {
	ws, faults, notes, err := a.route.ways(ctx, u)
	t.notes = append(t.notes, notes...)
	if err != nil {
		return Visit{}, err
	}
	if len(faults) > 0 {
		return Visit{Host: u.Hostname(), Faults: faults, Ended: true, route: a.route}, nil
	}
	var unrouted []Visit
	for _, w := range ws {
		req := a.request(u)
		v, err := a.route.visit(ctx, w, req)
		v.asked = []*http.Request{a.shown(req)}
		if err != nil || !v.noRoute {
			return v, err
		}
		unrouted = append(unrouted, v)
	}
	return Visit{}, noRouteTo(unrouted)
}

// judgePublished resolves both names as the Internet does: also those that
// connect_to pins for the connection.
func (a *autodiscover) judgePublished(ctx context.Context, given *url.URL) verdict {
	hosts := []string{a.question.Hostname()}
	if given == nil {
		given = a.want
	}
	if given != nil {
		hosts = append(hosts, given.Hostname())
	}
	names := make([]published, len(hosts))
	if a.external {
		parallel(len(hosts), func(i int) {
			addrs, _, _ := a.route.resolve(ctx, hosts[i])
			names[i] = published{hosts[i], addrs}
		})
	}
	return judgePrivate(a.external, names, 2)
}

// configuredURL gives the target's ActiveSync URL; nil when there is none.
func configuredURL(t config.Target) (*url.URL, error) {
	if t.ActiveSync.URL == "" {
		return nil, nil
	}
	return parseURL("activesync.url", t.ActiveSync.URL)
}
