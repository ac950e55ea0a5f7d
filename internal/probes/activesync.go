package probes

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// SchemeOffered shows which authentication schemes the endpoint offers.
var SchemeOffered = &check.Metric{Name: "hmad_challenge_scheme_offered", Kind: check.Gauge, Labels: []string{"scheme", "address"},
	Help: "1 when the ActiveSync endpoint's answer offered the authentication scheme (bearer, basic, negotiate, ntlm, digest, other), else 0; " +
		"address is empty unless several addresses were asked."}

// ActiveSync is the check of the phone's second question: where does one sign
// in for this endpoint (the guide's connection flow, step 2)?
var ActiveSync = &check.Def{
	Name: "activesync",
	Doc: "Sends requests with an empty bearer token to the ActiveSync endpoint, one for the host and one for the probe mailbox, and checks the 401 " +
		"challenge in full: it must come from Exchange and send phones to Microsoft Entra. Every address of the name and every configured front " +
		"end is asked over a new connection.",
	Every:   "*/5 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{check.Phase, CertificateNotAfter, SchemeOffered, ExchangeBuild},
	Reasons: append(slices.Clone(activesyncReasons), addressesDisagree),
	Facts:   append(slices.Clone(connectionFactKinds), challengeFact, frontEndFact),
	Steps:   []int{2, 7},
	Implies: activesyncImplies,
	New: func(t config.Target, env check.Env) (check.Parts, error) {
		a, err := newActiveSync(t, env)
		if err != nil {
			return check.Parts{}, err
		}
		return check.Parts{Run: a.run, Doubt: doubt(env)}, nil
	},
}

// activesync is the compiled check of one target.
type activesync struct {
	route        *route
	url          *url.URL // nil: AutoDiscover gives it
	autodiscover *autodiscover
	members      []netip.AddrPort
	mailbox      string
	tenant       string
	env          check.Env
}

func newActiveSync(t config.Target, env check.Env) (*activesync, error) {
	r, err := newRoute(t, env)
	if err != nil {
		return nil, err
	}
	a := &activesync{route: r, url: t.ActiveSync.URL.Value(), mailbox: t.Mailbox, tenant: t.Tenant, env: env}
	for _, m := range t.ActiveSync.Members {
		a.members = append(a.members, m.Value())
	}
	if a.url == nil {
		a.autodiscover, err = newAutodiscover(t, env)
	}
	return a, err
}

// endpoint returns the URL to ask: the configured one, else the one that
// AutoDiscover gave last, else the one that it gives now. It is nil where there
// is none; v then says why.
func (a *activesync) endpoint(ctx context.Context, v *check.Verdict) *url.URL {
	from := func(u *url.URL, source string) *url.URL {
		v.Note("endpoint: %s, %s", check.Clean(shownURL(u), maxDetail), source)
		return u
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
	if u := a.discover(ctx, v); u != nil {
		return from(u, "given by AutoDiscover now")
	}
	return nil
}

// discover asks AutoDiscover for the URL. What it found is the autodiscover
// check's to tell; its detail may hold the mailbox's address, which no error
// may.
func (a *activesync) discover(ctx context.Context, v *check.Verdict) *url.URL {
	discovery := Autodiscover.Judge()
	given := a.autodiscover.ask(ctx, discovery)
	report, err := discovery.Report()
	v.Keep(report.Notes...)
	switch {
	case given != nil:
		return given
	case len(report.Findings) > 0:
		v.Skip("no ActiveSync URL is configured and AutoDiscover gives none: %s", report.Findings[0].Reason.Name)
	case err != nil:
		v.Undecided(err)
	default:
		v.Skip("no ActiveSync URL is configured and AutoDiscover gives none")
	}
	return nil
}

// run looks once at every address.
func (a *activesync) run(ctx context.Context, v *check.Verdict) {
	u := a.endpoint(ctx, v)
	if u == nil {
		return
	}
	ws := a.route.reach(ctx, v, u, a.members, activesyncReasons, a.requests(u)...)
	if len(ws) == 0 {
		v.Open("no address answered", addressesDisagree)
		return
	}
	visits := a.route.visitWays(ctx, v, ws, a.requests(u)...)
	if len(visits) == 0 {
		return
	}
	a.judge(v, visits)
	record(v, visits)
	v.Samples(schemeSamples(visits)...)
	challengeFacts(v, visits)
	a.builds(v, visits)
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
func (a *activesync) judge(v *check.Verdict, visits []Visit) {
	var all []addressed
	for _, x := range visits {
		one, answers := v.Blank(), x.whole()
		if len(answers) > 0 {
			seen := challenged{host: answers[0], tenant: a.tenant}
			if len(answers) > 1 {
				seen.mailbox = answers[1]
			}
			judgeActiveSync(one, seen)
		}
		x.judgeExtra(one, len(answers))
		x.judge(one, activesyncReasons)
		all = append(all, addressed{x.part(one), len(answers) > 0})
	}
	agree(v, all)
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

const setDefaultEndpoint = "Exactly one enabled AuthServer must be the default: `Get-AuthServer | Format-List " +
	"Name,Type,Enabled,Realm,IsDefaultAuthorizationEndpoint`, then `Set-AuthServer '<name>' -IsDefaultAuthorizationEndpoint $true` (older " +
	"organisations: EvoSts), and `$false` on every other."

// The reasons of the activesync check.
var (
	activesyncPointsToCloud = &check.Reason{Name: "points_to_cloud", Severity: check.Critical,
		Runbook: activesyncPointsToCloudRunbook,
		Summary: "Microsoft's cloud itself answers under the ActiveSync name, so the on-premises mailboxes cannot be reached there.",
		Fix:     "Point the host in DNS at the on-premises servers, and check `Get-ActiveSyncVirtualDirectory | Format-List Identity,ExternalUrl`."}
	activesyncPreauthDevice = &check.Reason{Name: "preauth_device", Severity: check.Critical,
		Runbook: activesyncPreauthDeviceRunbook,
		Summary: "A device in front of Exchange answers instead of Exchange (pre-authentication, a login page). Microsoft's cloud cannot get past " +
			"it: accounts cannot be added and sync stops.",
		Fix: "Publish /Microsoft-Server-ActiveSync without pre-authentication (pass-through) on the device that answers: `hmad check activesync` shows it. " +
			"Pre-authentication in front of ActiveSync is not supported."}
	activesyncBlocked = &check.Reason{Name: "blocked", Severity: check.Critical,
		Runbook: activesyncBlockedRunbook,
		Summary: "The ActiveSync endpoint refuses the request (403). If it also refuses Microsoft's addresses, accounts cannot be added and sync stops.",
		Fix:     blockedFix}
	activesyncServerError = &check.Reason{Name: "server_error", Severity: check.Critical, Confirm: true,
		Runbook: activesyncServerErrorRunbook,
		Summary: "The ActiveSync endpoint answers with a server error: accounts cannot be added and sync stops.",
		Fix: "Check the application pool MSExchangeSyncAppPool and the load balancer's pool: `Get-ServerComponentState '<server>'`, " +
			"`Get-ServerHealth '<server>' -HealthSet ActiveSync.Proxy`."}
	activesyncUnexpectedStatus = &check.Reason{Name: "unexpected_status", Severity: check.Critical,
		Runbook: activesyncUnexpectedStatusRunbook,
		Summary: "The answer to an empty token must be 401 with a challenge. From any other answer phones do not learn where to sign in.",
		Fix: "Repeat the request with the curl command of `hmad check activesync` and see what answers. 200 without a token: a device in front answers or " +
			"signs in itself. 404: the path is not published. 30x: a redirect rule applies to /Microsoft-Server-ActiveSync."}
	challengeMissing = &check.Reason{Name: "challenge_missing", Severity: check.Critical,
		Runbook: challengeMissingRunbook,
		Summary: "The answer has no WWW-Authenticate header, so phones do not learn where to sign in.",
		Fix: "Look for a device in front of Exchange that drops the header; if none does, compare the authentication settings of the virtual " +
			"directory: `Get-ActiveSyncVirtualDirectory | Format-List Identity,*auth*`."}
	bearerMissing = &check.Reason{Name: "bearer_missing", Severity: check.Critical,
		Runbook: bearerMissingRunbook,
		Summary: "The server offers only older authentication schemes: Outlook falls back to the legacy Basic dialogue, or no account can be added.",
		Fix: "Check that every server has a build with hybrid Modern Authentication (`Get-ExchangeServer | Format-List " +
			"Name,AdminDisplayVersion`) and its OAuth module in %ExchangeInstallPath%\\FrontEnd\\HttpProxy\\Sync\\web.config; a reverse proxy that " +
			"rewrites WWW-Authenticate has the same effect."}
	oauthNotAvailable = &check.Reason{Name: "oauth_not_available", Severity: check.Critical,
		Runbook: oauthNotAvailableRunbook,
		Summary: "Exchange says that OAuth is not available: hybrid Modern Authentication is off, and Outlook falls back to Basic or cannot sign in.",
		Fix: "Turn it on: `Set-OrganizationConfig -OAuth2ClientProfileEnabled $true`. " + setDefaultEndpoint + " For single mailboxes also " +
			"`Get-AuthenticationPolicy | Format-List Name,BlockModernAuthActiveSync`."}
	clientIDWrong = &check.Reason{Name: "client_id_wrong", Severity: check.Critical,
		Runbook: clientIDWrongRunbook,
		Summary: "The challenge does not name Exchange as the application, so Exchange will refuse a token requested with it.",
		Fix: "Find out what answers under this name: the challenge must carry client_id 00000002-0000-0ff1-ce00-000000000000, which Exchange " +
			"always sends."}
	authorizationURIMissing = &check.Reason{Name: "authorization_uri_missing", Severity: check.Critical,
		Runbook: authorizationURIMissingRunbook,
		Summary: "The challenge does not say where to sign in, so phones fall back to the legacy Basic dialogue.",
		Fix:     setDefaultEndpoint + " Event 2009 of MSExchange OAuth means that there are several."}
	authorizationURIForeign = &check.Reason{Name: "authorization_uri_foreign", Severity: check.Critical,
		Runbook: authorizationURIForeignRunbook,
		Summary: "The challenge sends phones to a sign-in service other than Microsoft Entra (for example ADFS), so hybrid Modern Authentication " +
			"is not in use.",
		Fix: setDefaultEndpoint}
	authorizationURIUnusual = &check.Reason{Name: "authorization_uri_unusual", Severity: check.Warning,
		Runbook: authorizationURIUnusualRunbook,
		Summary: "The challenge names a Microsoft Entra host with an address that Exchange does not usually send. Phones may still be able to sign in.",
		Fix: "Compare `Get-AuthServer | Format-List Name,AuthorizationEndpoint` with https://login.windows.net/common/oauth2/authorize, which " +
			"Microsoft's own test expects."}
	activesyncTLSOffloaded = &check.Reason{Name: "tls_offloaded", Severity: check.Critical,
		Runbook: activesyncTLSOffloadedRunbook,
		Summary: "Exchange receives plain HTTP although clients use HTTPS, so it refuses the cloud's tokens: new mail does not reach phones. TLS " +
			"offloading is not supported.",
		Fix: "Configure the load balancer to re-encrypt to Exchange (TLS bridging: port 443 on the servers, with the same certificate), and " +
			"turn off offloading for this virtual server."}
	tenantMismatch = &check.Reason{Name: "tenant_mismatch", Severity: check.Warning,
		Runbook: tenantMismatchRunbook,
		Summary: "Exchange trusts issuers of a tenant other than the configured one. It may refuse tokens of the configured tenant.",
		Fix: "Compare `Get-AuthServer | Format-List Name,Type,Realm,IssuerIdentifier` with the tenant, and run the Hybrid Configuration Wizard " +
			"again if it is wrong; or correct `tenant` in hmad's config."}
	tokenError = &check.Reason{Name: "token_error", Severity: check.Warning,
		Runbook: tokenErrorRunbook,
		Summary: "The challenge is complete but contains an error, which a healthy Exchange does not add for an empty token. Sign-in may work, but " +
			"tokens may be refused later.",
		Fix: "Read the diagnostics with `hmad check activesync`. For invalid_signature refresh the certificates: `Set-AuthServer EvoSts " +
			"-RefreshAuthMetadata`; see also the events of MSExchange OAuth on the servers."}
	mailboxOAuthOff = &check.Reason{Name: "mailbox_oauth_off", Severity: check.Critical,
		Runbook: mailboxOAuthOffRunbook,
		Summary: "Exchange offers modern sign-in in general but not for the probe mailbox: an authentication policy or an organisation setting " +
			"prevents it, and phones of such mailboxes fall back to Basic.",
		Fix: "Check `Get-User '<address>' | Format-List AuthenticationPolicy`, `Get-AuthenticationPolicy | Format-List " +
			"Name,BlockModernAuthActiveSync` and `Get-OrganizationConfig | Format-List OAuth2ClientProfileEnabled,DefaultAuthenticationPolicy`; " +
			"OAuth2ClientProfileEnabled must be True."}
	addressesDisagree = &check.Reason{Name: "addresses_disagree", Severity: check.Critical, Confirm: true,
		Runbook: addressesDisagreeRunbook,
		Summary: "One of the addresses or front ends behind the name answers differently from the others, so sign-in and sync fail intermittently.",
		Fix: "Take the address concerned out of the load balancer's pool, compare the server's build and settings with the others' " +
			"(`Get-ExchangeServer | Format-List Name,AdminDisplayVersion`, `Get-ActiveSyncVirtualDirectory`), and put it back when it answers like " +
			"the others."}
)

// activesyncReasons lists, in order of judgement, what one address may show;
// addresses_disagree is of all together.
var activesyncReasons = append(transportReasons[:len(transportReasons):len(transportReasons)],
	activesyncPointsToCloud, activesyncPreauthDevice, activesyncBlocked, activesyncServerError, activesyncUnexpectedStatus,
	challengeMissing, bearerMissing,
	oauthNotAvailable, clientIDWrong,
	authorizationURIMissing, authorizationURIForeign, authorizationURIUnusual,
	activesyncTLSOffloaded, tenantMismatch, tokenError,
	mailboxOAuthOff,
)

// activesyncImplies: where the cloud gets no connection to the endpoint, or no
// answer of Exchange's, no mail is synchronised. What concerns the sign-in alone
// explains nothing of accounts that have their tokens.
var activesyncImplies = []check.Implication{
	{Causes: []*check.Reason{dnsFailed, connectFailed, tlsFailed, certificateExpired, certificateNameMismatch, certificateUntrusted, timedOut, responseInvalid},
		Effects: []string{"token_acceptance.undecided"}},
	{
		Causes: []*check.Reason{dnsFailed, connectFailed, tlsFailed, certificateExpired, certificateNameMismatch, certificateUntrusted, timedOut, responseInvalid,
			activesyncPointsToCloud, activesyncPreauthDevice},
		Effects: []string{"mailbox_sync.sync_stopped", "mailbox_sync.sync_failing", "mailbox_sync.sync_stale",
			"mailbox_sync.watched_mailbox_stale_critical", "mailbox_sync.watched_mailbox_stale", "onprem_sync.cloud_sync_stopped", "onprem_sync.onprem_leg_stale"},
	},
	{
		Causes: []*check.Reason{activesyncBlocked, activesyncServerError, oauthNotAvailable, activesyncTLSOffloaded},
		Effects: []string{"mailbox_sync.sync_failing", "mailbox_sync.sync_stale", "mailbox_sync.watched_mailbox_stale_critical", "mailbox_sync.watched_mailbox_stale",
			"onprem_sync.cloud_sync_refused", "onprem_sync.onprem_leg_stale"},
	},
	{Causes: []*check.Reason{dnsFailed}, Effects: []string{"tls_offload.dns_failed"}},
	{Causes: []*check.Reason{connectFailed}, Effects: []string{"tls_offload.connect_failed"}},
	{Causes: []*check.Reason{tlsFailed}, Effects: []string{"tls_offload.tls_failed"}},
	{Causes: []*check.Reason{certificateExpired}, Effects: []string{"tls_offload.certificate_expired"}},
	{Causes: []*check.Reason{certificateNameMismatch}, Effects: []string{"tls_offload.certificate_name_mismatch"}},
	{Causes: []*check.Reason{certificateChainIncomplete}, Effects: []string{"tls_offload.certificate_chain_incomplete"}},
	{Causes: []*check.Reason{certificateUntrusted}, Effects: []string{"tls_offload.certificate_untrusted"}},
	{Causes: []*check.Reason{certificateExpiringSoon}, Effects: []string{"tls_offload.certificate_expiring_soon"}},
	{Causes: []*check.Reason{certificateExpiring}, Effects: []string{"tls_offload.certificate_expiring"}},
	{Causes: []*check.Reason{timedOut}, Effects: []string{"tls_offload.timeout"}},
	{Causes: []*check.Reason{responseInvalid}, Effects: []string{"tls_offload.response_invalid"}},
	{Causes: []*check.Reason{activesyncTLSOffloaded}, Effects: []string{"tls_offload.tls_offloaded"}},
	{Causes: []*check.Reason{activesyncPointsToCloud, activesyncPreauthDevice, activesyncBlocked, activesyncServerError}, Effects: []string{"tls_offload.undecided"}},
}
