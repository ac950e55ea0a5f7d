package probes

import (
	"context"
	"net"
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
	Doc: "Asks AutoDiscover for the probe mailbox's ActiveSync address, as Microsoft's AutoDetect does when an account is added: without " +
		"credentials, over a new connection to each address of the name. Redirects to hosts named in the target's config are followed, others are " +
		"only recorded.",
	Every:   "*/5 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{check.Phase, CertificateNotAfter},
	Reasons: append(slices.Clone(autodiscoverReasons), privateAddress),
	Facts:   append(slices.Clone(connectionFactKinds), givenURLFact),
	Steps:   []int{1},
	Implies: []check.Implication{{Causes: autodiscoverReasons, // without activesync.url the endpoint is not known then
		Effects: []string{"activesync.undecided", "tls_offload.undecided"}}},
	New: func(t config.Target, env check.Env) (check.Parts, error) {
		a, err := newAutodiscover(t, env)
		if err != nil {
			return check.Parts{}, err
		}
		return check.Parts{Run: a.run, Doubt: doubt(env)}, nil
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
	want := t.ActiveSync.URL.Value()
	question := &url.URL{Scheme: "https", Host: t.Autodiscover.Host.String(), Path: "/autodiscover/autodiscover.json",
		RawQuery: "Email=" + url.QueryEscape(t.Mailbox) + "&Protocol=activesync&RedirectCount=3"}
	return &autodiscover{route: r, question: question, want: want, named: namedHosts(t, question, want),
		external: t.Vantage == config.External, memory: env.Memory}, nil
}

// namedHosts are the hosts that the target names, with their ports, in lower case.
func namedHosts(t config.Target, question, want *url.URL) []string {
	hosts := []string{endOf(question)}
	if want != nil {
		hosts = append(hosts, endOf(want))
	}
	for _, h := range t.Autodiscover.RedirectHosts {
		hosts = append(hosts, endOf(&url.URL{Host: h.String()}))
	}
	return hosts
}

// endOf returns the host and port of a URL, in lower case.
func endOf(u *url.URL) string { return strings.ToLower(net.JoinHostPort(u.Hostname(), portOf(u))) }

// allowed reports whether the target names the host and port: only to such ones is a
// redirect followed, because the question holds the mailbox's address.
func (a *autodiscover) allowed(to *url.URL) bool {
	return slices.Contains(a.named, endOf(to))
}

// trail is one address's way through the redirects.
type trail struct {
	visits []Visit
	hops   []*Answer
	notes  []string

	unasked []*http.Request // to where a redirect led and our own side could not follow
}

// judge judges a trail. The URL is the one that AutoDiscover gave, nil when it
// gave none that can be asked.
func (a *autodiscover) judge(v *check.Verdict, t trail) *url.URL {
	last := t.visits[len(t.visits)-1]
	for _, x := range t.visits[:len(t.visits)-1] {
		for _, f := range x.Faults {
			v.Find(f.Reason, f.About, "%s", f.Detail)
		}
	}
	last.judge(v, autodiscoverReasons)
	if last.Ended {
		return nil
	}
	return judgeAutodiscover(v, discovery{t.hops, a.want, a.allowed})
}

// run looks once: it asks every address, judges, and remembers the URL.
func (a *autodiscover) run(ctx context.Context, v *check.Verdict) {
	given := a.ask(ctx, v)
	if given != nil {
		a.memory.Put(rememberedURL, given.String())
		v.Fact(givenURLFact, "", given.String())
	}
	a.judgePublished(ctx, v, given)
}

// ask asks every address of the AutoDiscover host at once, each to the end of
// its redirects. It returns the ActiveSync URL of the first address that gave
// one; nil when none did.
func (a *autodiscover) ask(ctx context.Context, v *check.Verdict) *url.URL {
	request := a.request(a.question)
	ws := a.route.reach(ctx, v, a.question, nil, autodiscoverReasons, request)
	if len(ws) == 0 {
		return nil
	}
	first := a.route.visitWays(ctx, v, ws, request)
	trails := make([]trail, len(first))
	errs := make([]error, len(first))
	parallel(len(first), func(i int) { trails[i], errs[i] = a.follow(ctx, first[i]) })
	for _, t := range trails {
		noteAll(v, t.notes)
	}
	if err := firstError(errs); err != nil {
		v.Undecided(err)
		for _, t := range trails {
			record(v, t.visits)
			a.route.repeat(v, t.unasked...)
		}
		return nil
	}
	return a.gather(v, trails)
}

// gather judges the trails and unites what they show.
func (a *autodiscover) gather(v *check.Verdict, trails []trail) (given *url.URL) {
	var parts []check.Part
	var visits []Visit
	for _, t := range trails {
		one := v.Blank()
		u := a.judge(one, t)
		if given == nil {
			given = u
		}
		parts = append(parts, t.visits[0].part(one))
		visits = append(visits, t.visits...)
	}
	v.Join(parts...)
	record(v, visits)
	return given
}

func (a *autodiscover) request(u *url.URL) *http.Request {
	return a.route.get(u, "Accept", "application/json")
}

// shown returns a request as the notes may show it. The query of a redirect may
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
		if next == nil || next.Scheme != "https" || !a.allowed(next) || len(t.hops) > maxHops || t.asked(next) {
			return t, nil
		}
		t.notes = append(t.notes, "redirect "+answer.URL.Host+" → "+check.Clean(shownURL(next), maxDetail))
		var err error
		if v, err = a.next(ctx, next, &t); err != nil {
			t.unasked = append(t.unasked, a.shown(a.request(next)))
			return t, err
		}
	}
}

// asked reports whether the trail has been at the URL.
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
		if err == nil {
			v, err = a.route.asAnother(ctx, v, req)
		}
		v.asked = []*http.Request{a.shown(v.asked[0])}
		if err != nil || !v.noRoute {
			return v, err
		}
		unrouted = append(unrouted, v)
	}
	return Visit{}, noRouteTo(unrouted)
}

// judgePublished resolves both names as the Internet does: also those that
// connect_to pins for the connection.
func (a *autodiscover) judgePublished(ctx context.Context, v *check.Verdict, given *url.URL) {
	hosts := []string{a.question.Hostname()}
	if given == nil {
		given = a.want
	}
	if given != nil {
		hosts = append(hosts, given.Hostname())
	}
	names := make([]published, len(hosts))
	for i, h := range hosts {
		names[i].host = h
	}
	if a.external {
		parallel(len(hosts), func(i int) {
			addrs, _, _ := a.route.resolve(ctx, hosts[i])
			names[i] = published{hosts[i], addrs}
		})
	}
	judgePrivate(v, a.external, names)
}
