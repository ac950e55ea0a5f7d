package metadata

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/transport"
)

// EvoSTSMetadata is the check of the stored signing certificates against those
// that are published.
var EvoSTSMetadata = &check.Def{
	Name: "evosts_metadata",
	Doc: "Does Exchange have the certificates with which Microsoft signs tokens? The check fetches the metadata that Microsoft publishes for the " +
		"tenant and compares it with Exchange's stored copy, which it reads from the on-premises report or the directory. A published certificate " +
		"may be missing in the copy for as long as the refresh job may take: `metadata.window` (8h, the figure in Microsoft's guide) and " +
		"`metadata.page_after` (13h, because other sources report a job every 12 hours). With a credential the check also reads which key signs " +
		"the tokens that hmad itself receives.",
	Needs:   DocumentNeeds,
	Every:   "*/15 * * * *",
	Timeout: 55 * time.Second,
	Metrics: []*check.Metric{Certificates, MissingSince, Deadline, WindowSeconds, PageAfterSeconds, entra.CredentialNotAfter},
	Reasons: evostsReasons,
	Facts:   []*check.Fact{publishedKeys, storedKeys, defaultServer},
	Steps:   []int{2, 7},
	Implies: []check.Implication{
		{Causes: []*check.Reason{signingKeyMissing, metadataLongStale}, Effects: []string{"metadata_refresh.tokens_refused",
			"onprem_sync.cloud_sync_refused", "metadata_refresh.stale_copy_proven", "token_acceptance.signature_refused"}},
		{Causes: []*check.Reason{authServerMissing, authServerDisabled}, Effects: []string{"metadata_refresh.tokens_refused",
			"onprem_sync.cloud_sync_refused", "token_acceptance.issuer_unknown"}},
	},
	New: newEvoSTS,
}

// tokenTimeout bounds getting a token; fetchTimeout bounds each document.
const tokenTimeout = 10 * time.Second

// tokenOld is the age of a token that does not say any more what key signs now.
// Entra dates tokens five minutes back, and clocks differ.
const tokenOld = 10 * time.Minute

// configured reports whether a target has what the check needs.
func configured(t config.Target) bool {
	return t.Tenant != "" && (t.OnPrem.Report.Configured() || !t.OnPrem.LDAP.URL.IsZero())
}

func newEvoSTS(t config.Target, env check.Env) (check.Parts, error) {
	if !configured(t) {
		return check.Parts{}, nil
	}
	way, err := transport.New(t, env)
	if err != nil {
		return check.Parts{}, err
	}
	e := buildEvoSTS(t, env, overHTTP(way.Client()))
	if t.ExchangeOnline.Configured() {
		credential, err := entra.New(t, env)
		if err != nil {
			return check.Parts{}, err
		}
		e.keyID = keyIDOf(credential)
		e.expires = func() (string, time.Time, bool) {
			notAfter, ok := credential.NotAfter()
			return credential.Kind(), notAfter, ok
		}
	}
	return check.Parts{Run: e.run}, nil
}

// buildEvoSTS builds the check without a credential; f is its way to documents.
func buildEvoSTS(t config.Target, env check.Env, f fetch) *evosts {
	return &evosts{target: t, env: env, sources: newSources(t, env), library: newLibrary(f, env.Now)}
}

// issuer issues tokens; entra.Credential is one.
type issuer interface {
	Fresh(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error)
}

// signature is of a token: the key that signed it, and when.
type signature struct {
	key    Thumbprint
	issued time.Time
}

// keyIDOf returns the function that gets a token, one that is issued now, and
// returns which key signed it.
func keyIDOf(from issuer) func(context.Context) (signature, error) {
	return func(ctx context.Context) (s signature, err error) {
		token, err := from.Fresh(ctx, policy.TokenRequestOptions{Scopes: []string{entra.ScopeExchangeOnline}})
		if err != nil {
			return s, err
		}
		id, err := entra.KeyID(token.Token)
		if err != nil {
			return s, err
		}
		if s.issued, err = entra.IssuedAt(token.Token); err != nil {
			return s, err
		}
		s.key, err = ParseKeyID(id)
		return s, err
	}
}

// evosts is the check for one target. Its runs do not overlap.
type evosts struct {
	target  config.Target
	env     check.Env
	sources sources
	library *library
	keyID   func(context.Context) (signature, error)          // nil without a credential
	expires func() (kind string, notAfter time.Time, ok bool) // of the credential; nil without one
}

// run looks at both sides, writes down what is new in the ledger and judges.
// What is published is looked at whether or not the stored copy can be read:
// ages must not wait for it.
func (e *evosts) run(ctx context.Context, v *check.Verdict) {
	o := e.observe(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		v.Undecided(ctx.Err())
		return
	}
	judge(v, o)
	o.facts(v)
	v.Samples(samples(o)...)
	v.Samples(e.credentialSamples()...)
	v.Timeline(timeline(o)...)
	for _, n := range o.notes {
		v.Note("%s", n)
	}
	v.Repeat(e.repeat(o)...)
}

// look looks at what is stored and what is published, and keeps nothing.
func (e *evosts) look(ctx context.Context) observation {
	o := observation{now: e.env.Now(), tenant: e.target.Tenant, override: e.target.Metadata.URL.Of(e.target.Tenant),
		window: e.target.Metadata.Window, pageAfter: e.target.Metadata.PageAfter}
	o.ledger = loadLedger(e.env.Memory, o.now)
	var notes []string
	o.held, notes, o.heldErr = e.sources.read(ctx, o.tenant)
	o.notes = append(o.notes, notes...)
	o.servers = report.OfTenant(o.held.Servers, o.tenant)
	e.lookPublished(ctx, &o)
	return o
}

// observe looks at both sides once, and at the keys of hmad's own tokens, and
// keeps it in the ledger.
func (e *evosts) observe(ctx context.Context) observation {
	o := e.look(ctx)
	e.lookKeys(ctx, &o)
	if errors.Is(ctx.Err(), context.Canceled) {
		return o
	}
	for _, s := range o.servers {
		o.ledger.storedNow(s.Name, o.asOf(), certificatesOf(s))
	}
	if len(o.enabled()) > 0 && o.override == nil {
		o.ledger.Places = o.places()
	}
	o.ledger.save(e.env.Memory, o.now)
	return o
}

// lookPublished fetches the document of every auth server, or the tenant's own
// where none is known, and beside it the OpenID keys.
func (e *evosts) lookPublished(ctx context.Context, o *observation) {
	o.published = map[string]Published{}
	var all []Certificate
	for _, at := range o.places() {
		p, err := e.library.published(ctx, at)
		if err != nil {
			o.publishedErr = check.Joined(o.publishedErr, err)
			continue
		}
		o.published[at] = p
		all = append(all, p.Certificates...)
	}
	if o.publishedErr == nil {
		o.ledger.publishedNow(o.now, all)
	}
	o.known = setOf(all)
	e.lookOpenID(ctx, o)
}

// lookOpenID fetches the OpenID keys: a second view of what is published. It
// decides nothing by itself, so its failure is a note.
func (e *evosts) lookOpenID(ctx context.Context, o *observation) {
	at := e.target.Entra.OpenIDConfiguration.Of(o.tenant)
	if at == nil {
		return
	}
	p, err := e.library.published(ctx, at.String())
	if err != nil {
		o.note("the OpenID keys cannot be compared: %s", err)
		return
	}
	keys := setOf(p.Certificates)
	if o.publishedErr == nil {
		for _, c := range keys.without(o.known) {
			o.note("only the OpenID keys have the certificate %s", c.Thumbprint)
		}
		for _, c := range o.known.without(keys) {
			o.note("the OpenID keys lack the certificate %s", c.Thumbprint)
		}
	}
	for t, c := range keys {
		if _, there := o.known[t]; !there {
			o.known[t] = c
		}
	}
}

// lookKeys gets a token, if there is a credential, and sees what key signed it.
func (e *evosts) lookKeys(ctx context.Context, o *observation) {
	if e.keyID == nil {
		return
	}
	o.credential = true
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	s, err := e.keyID(ctx)
	t, fresh := s.key, o.now.Sub(s.issued) <= tokenOld
	if err == nil {
		o.ledger.keyUsed(t, s.issued)
	}
	if err == nil && fresh {
		o.usedNow = &t
	}
	o.keyErr = classed(check.Token, "hmad's own token", err)
	o.used = o.ledger.usedKeys(o.now)
	switch {
	case err != nil && len(o.used) > 0:
		o.note("no token now, the keys of the last 24 hours are compared: %s", err)
	case err == nil && !fresh:
		o.note("hmad got no new token, only one of %s: which key signs now is not known", check.Moment(s.issued))
	case err == nil && !o.recognised(t):
		o.note("hmad's own token is signed with %s, which is neither published nor stored: it says nothing", t)
	}
}

// repeat returns the commands that show both sides by hand.
func (e *evosts) repeat(o observation) []string {
	var commands []string
	for _, at := range o.places() {
		line := "curl -sS -m 20 "
		if proxy := e.target.Proxy.String(); proxy != "" {
			line += "--proxy " + check.ShellWord(proxy, maxDetail) + " "
		}
		commands = append(commands, line+check.ShellWord(shownURL(at), maxDetail))
	}
	return append(commands, "Get-AuthServer | ? {$_.Type -eq 'AzureAD' -and $_.Realm -eq '"+o.tenant+"'} | Format-List "+
		"Name,Enabled,IsDefaultAuthorizationEndpoint,AuthMetadataUrl,CertificateStrings,WhenChangedUTC")
}
