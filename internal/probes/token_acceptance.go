package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/transport"
)

// TokenSignatureAccepted says whether a front end accepts the signature of a token
// of today.
var TokenSignatureAccepted = &check.Metric{Name: "hmad_token_signature_accepted", Kind: check.Gauge, Labels: []string{"address"},
	Help: "1 if Exchange Web Services at the address accept the signature of a token that Entra issued for this run, 0 if they refuse it; absent if the " +
		"answer does not show it."}

// tokenKey tells which key signed the token.
var tokenKey = &check.Fact{Name: "token_key", Doc: "the id of the key with which Entra signed the token for Exchange"}

// TokenAcceptance is the check whether Exchange accepts a real token.
var TokenAcceptance = &check.Def{
	Name: "token_acceptance",
	Off:  true,
	Doc: "Does Exchange accept a real token today? The check gets an app-only token for the on-premises host from Entra, of an app of its own that has " +
		"no permission at all, and shows it to Exchange Web Services (`token_acceptance.url`; default: the ActiveSync host), at every address and " +
		"member. Exchange refuses it for want of a role, and how far it gets shows what it accepts: audience, issuer, signature, lifetime. That Entra " +
		"issues the token at all shows that the host is a service principal name. It is the counterpart of `evosts_metadata`: published, stored, accepted. " +
		"What it cannot prove: each IIS worker has a cache of keys of its own, so a pass here is good evidence for ActiveSync and no proof; a refused " +
		"signature is strong evidence. hmad reads the token first: one with a role, a scope, a directory role or another audience is never sent. " +
		"Never give this app `full_access_as_app`, which opens every mailbox. Reported for Exchange 2013, so findings are warnings but for the missing " +
		"name. The token goes by TLS that is verified, to no other host, and never to ActiveSync.",
	Needs:   config.TokenAcceptanceNeeds,
	Every:   "*/15 * * * *",
	Timeout: time.Minute,
	Metrics: []*check.Metric{TokenSignatureAccepted},
	Reasons: acceptanceReasons,
	Facts:   []*check.Fact{tokenKey},
	Steps:   []int{5, 7},
	Implies: []check.Implication{
		{Causes: []*check.Reason{audienceNotRegistered}, Effects: []string{"onprem_sync.cloud_sync_refused", "onprem_sync.cloud_sync_stopped",
			"onprem_sync.onprem_leg_stale", "mailbox_sync.sync_stale", "mailbox_sync.watched_mailbox_stale", "token_acceptance.ews_audience_not_registered"}},
		{Causes: []*check.Reason{tokenSignatureRefused, tokenIssuerUnknown, tokenAudienceMismatch},
			Effects: []string{"onprem_sync.onprem_leg_stale", "mailbox_sync.watched_mailbox_stale"}},
	},
	New: newTokenAcceptance,
}

const ewsPath = "/EWS/Exchange.asmx"

// tokenAcceptance is the compiled check of one target.
type tokenAcceptance struct {
	route      *route
	ews        *url.URL
	activesync string // the host; empty: AutoDiscover gives it
	members    []netip.AddrPort
	credential *entra.Credential
}

func newTokenAcceptance(t config.Target, env check.Env) (check.Parts, error) {
	s := t.TokenAcceptance
	if !s.Configured() {
		if on := t.Checks["token_acceptance"].Enabled; on != nil && *on {
			return check.Parts{}, config.Invalid("token_acceptance", "got no credential, want client_id and certificate_file, or another credential")
		}
		return check.Parts{}, nil
	}
	c := &tokenAcceptance{ews: s.URL.Value()}
	if u := t.ActiveSync.URL.Value(); u != nil {
		c.activesync = u.Hostname()
		if c.ews == nil {
			c.ews = &url.URL{Scheme: "https", Host: u.Host, Path: ewsPath}
		}
		if strings.EqualFold(c.ews.Host, u.Host) {
			for _, m := range t.ActiveSync.Members {
				c.members = append(c.members, m.Value())
			}
		}
	}
	if c.ews == nil {
		return check.Parts{}, config.Invalid("token_acceptance.url", "got nothing, want the URL of Exchange Web Services, or activesync.url")
	}
	var err error
	if c.route, err = newRoute(t, env); err != nil {
		return check.Parts{}, err
	}
	c.credential, err = entra.Of(t, "token_acceptance", s.App, env)
	return check.Parts{Run: c.run}, err
}

// run asks for tokens, which tells of the names, and shows the one for Exchange Web
// Services to every address.
func (c *tokenAcceptance) run(ctx context.Context, v *check.Verdict) {
	v.Repeat(Visit{route: c.route}.curl(c.route.get(c.ews, "Authorization", "Bearer "+shownRealToken)))
	c.registered(ctx, v)
	token, err := c.token(ctx, c.ews.Hostname())
	c.judgeRegistered(v, err)
	if err != nil {
		return
	}
	if id, err := entra.KeyID(token); err == nil {
		v.Fact(tokenKey, "", id)
	}
	v.Note("the token for %s holds no role, no scope and no directory role", audienceOf(c.ews.Hostname()))
	c.show(ctx, v, token)
}

// registered asks for a token for the ActiveSync host where Exchange Web Services
// have another. It is sent nowhere.
func (c *tokenAcceptance) registered(ctx context.Context, v *check.Verdict) {
	switch {
	case c.activesync == "":
		v.NotApplicable("activesync.url is not configured", audienceNotRegistered)
	case strings.EqualFold(c.activesync, c.ews.Hostname()):
		v.NotApplicable("Exchange Web Services have the name of ActiveSync", ewsAudienceNotRegistered)
	default:
		switch _, err := c.issue(ctx, c.activesync); {
		case err == nil:
			v.Clear(audienceNotRegistered)
		case unregistered(err):
			v.Find(audienceNotRegistered, []string{c.activesync}, "%s", err)
		default:
			v.Undecided(err, audienceNotRegistered)
		}
	}
}

// judgeRegistered judges the request for the token that is sent.
func (c *tokenAcceptance) judgeRegistered(v *check.Verdict, err error) {
	r := ewsAudienceNotRegistered
	if strings.EqualFold(c.activesync, c.ews.Hostname()) {
		r = audienceNotRegistered
	}
	switch {
	case err == nil:
		v.Clear(r)
	case unregistered(err):
		v.Find(r, []string{c.ews.Hostname()}, "%s", err)
		v.Open("there is no token to show", answerReasons...)
	case errors.Is(err, errPowerful):
		v.Clear(r)
		v.Undecided(err, answerReasons...)
	default:
		v.Undecided(err, append(slices.Clone(answerReasons), r)...)
	}
}

// unregistered reports whether Entra knows no resource of that name in the tenant
// (AADSTS500011, learn.microsoft.com, «Microsoft Entra authentication and
// authorization error codes»).
func unregistered(err error) bool {
	var refused *entra.RefusedError
	return errors.As(err, &refused) && refused.Code == "AADSTS500011"
}

func audienceOf(host string) string { return "https://" + host }

func (c *tokenAcceptance) issue(ctx context.Context, host string) (string, error) {
	token, err := c.credential.Fresh(ctx, policy.TokenRequestOptions{Scopes: []string{audienceOf(host) + "/.default"}})
	return token.Token, err
}

// token returns a token that may be sent to the host.
func (c *tokenAcceptance) token(ctx context.Context, host string) (string, error) {
	token, err := c.issue(ctx, host)
	if err != nil {
		return "", err
	}
	claims, err := entra.ReadClaims(token)
	if err != nil {
		return "", err
	}
	return token, powerless(claims, host)
}

// errPowerful is in the error of a token that may do something, or is for somebody
// else: it is never sent.
var errPowerful = errors.New("the token is not sent")

// everyApp is the directory role that Entra writes into every app-only token, and
// that gives nothing (reported).
const everyApp = "0997a1d0-0d1d-4acb-b408-d5ca73121e90"

// powerless returns why a token must not be sent to the host; nil where it may do
// nothing.
func powerless(c entra.Claims, host string) error {
	roles := slices.DeleteFunc(slices.Clone(c.Wids), func(id string) bool { return strings.EqualFold(id, everyApp) })
	what := ""
	switch {
	case len(c.Roles) > 0:
		what = "it has application permissions (" + check.Clean(check.List(c.Roles[:min(len(c.Roles), maxNamedRoles)]), maxDetail) + "): take them away from the app"
	case c.Scope != "":
		what = "it has the scope " + check.Clean(c.Scope, maxDetail) + ": take the delegated permission away from the app"
	case len(roles) > 0:
		what = "the app has directory roles (" + check.Clean(check.List(roles[:min(len(roles), maxNamedRoles)]), maxDetail) + "): take them away"
	case !strings.EqualFold(strings.TrimRight(c.Audience, "/"), audienceOf(host)):
		what = "it is for another audience than " + audienceOf(host)
	default:
		return nil
	}
	return check.Errorf(check.Permission, "%w: %s", errPowerful, what)
}

const maxNamedRoles = 5

// shownRealToken stands in notes where the token was.
const shownRealToken = "<token>"

// show shows the token to every address.
func (c *tokenAcceptance) show(ctx context.Context, v *check.Verdict, token string) {
	ws, faults, notes, err := c.route.ways(ctx, c.ews, c.members...)
	noteAll(v, notes)
	if err == nil && len(ws) == 0 {
		err = check.Errorf(check.Other, "%s cannot be asked", c.ews.Hostname())
		if len(faults) > 0 {
			err = check.Errorf(check.Other, "%s: %s", faults[0].Reason.Name, faults[0].Detail)
		}
	}
	if err != nil {
		v.Undecided(err, answerReasons...)
		return
	}
	parts := make([]check.Part, len(ws))
	parallel(len(ws), func(i int) {
		name := (&Visit{Address: ws[i].address, way: ws[i]}).peer()
		one := v.Blank()
		parts[i] = check.Part{Name: name, Subject: c.ews.Hostname() + " at " + name, Verdict: one}
		a, err := c.ask(ctx, ws[i], token)
		if err != nil {
			one.Undecided(err, answerReasons...)
			return
		}
		judgeAcceptance(one, name, a)
	})
	v.Join(parts...)
}

// ask shows the token to one address, over a connection of its own whose
// certificate is verified before anything is sent. What comes back does not hold
// the token.
func (c *tokenAcceptance) ask(ctx context.Context, w way, token string) (*Answer, error) {
	t := c.route.Transport()
	t.DisableKeepAlives, t.ResponseHeaderTimeout = true, 20*time.Second
	t.TLSClientConfig = &tls.Config{RootCAs: c.route.roots, MinVersion: tls.VersionTLS12, Time: c.route.now}
	if c.route.Proxy() == nil {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return c.route.DialOne(ctx, w.address) }
	}
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(c.route.get(c.ews, "Authorization", "Bearer "+token).WithContext(ctx))
	if local := transport.Local(err); local != nil {
		return nil, local
	}
	if err != nil {
		return nil, check.Errorf(check.ClassOf(err), "Exchange Web Services: %w", transport.WithoutURL(err))
	}
	defer resp.Body.Close()
	a := &Answer{URL: c.ews, Proto: resp.Proto, Status: resp.StatusCode, Phrase: phraseOf(resp), Header: replaced(resp.Header, token, shownRealToken)}
	a.Body, a.Coding, err = readBody(ctx, resp, time.Now())
	if a.Status == http.StatusOK && err != nil {
		return nil, check.Errorf(check.Other, "Exchange Web Services: %w", err)
	}
	return a, nil
}
