package metadata

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

const (
	// maxExchange is how many certificates Exchange takes: with more it stores
	// none (event 2011; domain notes, section 6.4).
	maxExchange = 10
	// nearLimit is how many are near enough to tell.
	nearLimit = 8
)

// judge fills the verdict of evosts_metadata.
func judge(v *check.Verdict, o observation) {
	if !o.credential {
		v.NotApplicable("exchange_online is not configured: hmad gets no token of its own", signingKeyMissing)
	}
	if o.heldErr != nil {
		v.Undecided(o.heldErr)
		if o.publishedErr != nil {
			v.Undecided(o.publishedErr)
		}
		return
	}
	if !judgeServers(v, o) {
		return
	}
	judgeDefault(v, o)
	if o.publishedErr != nil {
		v.Undecided(o.publishedErr, realmMismatch, certificateLimit, metadataLongStale, metadataStale)
		if o.credential {
			v.Undecided(o.publishedErr, signingKeyMissing)
		}
		return
	}
	all := o.comparisons()
	for _, c := range all {
		judgeRealm(v, o, c)
		judgeLimit(v, c)
	}
	if o.credential {
		judgeKeys(v, o, all)
	}
	judgeAges(v, o, all)
}

// judgeServers looks whether the tenant has an auth server in use, and reports
// whether it has: nothing else can be seen without one.
func judgeServers(v *check.Verdict, o observation) bool {
	if len(o.servers) == 0 {
		v.Stop(authServerMissing, []string{o.tenant}, "%s shows no auth server of type %s with the realm %s; it shows "+
			"%s", o.held.From, report.TypeAzureAD, o.tenant, named(o.held.Servers))
		return false
	}
	v.Clear(authServerMissing)
	if len(o.enabled()) == 0 {
		v.Stop(authServerDisabled, namesOfServers(o.servers), "%s is disabled, as %s shows", names(o.servers), o.held.From)
		return false
	}
	v.Clear(authServerDisabled)
	return true
}

// judgeDefault looks whether exactly one enabled auth server of any type is
// the default authorisation endpoint, and whether it is the tenant's.
func judgeDefault(v *check.Verdict, o observation) {
	v.Clear(defaultEndpointMissing, defaultEndpointAmbiguous)
	defaults := defaultsOf(o.held.Servers)
	others := slices.DeleteFunc(slices.Clone(defaults), func(s report.AuthServer) bool {
		return slices.ContainsFunc(o.servers, func(t report.AuthServer) bool { return t.Name == s.Name })
	})
	switch {
	case len(defaults) > 1:
		v.Find(defaultEndpointAmbiguous, namesOfServers(append(others, defaults...)), "%d auth servers are the default: %s", len(defaults), named(defaults))
	case len(defaults) == 0:
		v.Find(defaultEndpointMissing, namesOfServers(o.enabled()), "no enabled auth server is the default; the tenant's is %s", names(o.enabled()))
	case len(others) == 1:
		v.Find(defaultEndpointMissing, namesOfServers(o.enabled()), "the default is %s, not the tenant's %s", named(others), names(o.enabled()))
	}
}

// judgeRealm compares who publishes with whom the auth server names, as
// Exchange does before it stores anything (event 2007).
func judgeRealm(v *check.Verdict, o observation, c comparison) {
	realm := realmOf(c.document.Issuer)
	issuer := strings.TrimRight(c.server.Issuer, "/")
	about := []string{c.server.Name}
	switch {
	case c.document.Issuer == "":
		v.Open(fmt.Sprintf("the metadata at %s names no issuer", c.document.Place()), realmMismatch)
	case !strings.EqualFold(realm, strings.TrimSpace(c.server.Realm)):
		v.Find(realmMismatch, about, "%s has the realm %s, and the metadata at %s is of %s", c.server.Name, c.server.Realm, c.document.Place(), c.document.Issuer)
	case o.override == nil && issuer != "" && !strings.EqualFold(issuer, strings.TrimRight(c.document.Issuer, "/")):
		v.Find(realmMismatch, about, "%s has the issuer %s, and the metadata at %s is of %s", c.server.Name, c.server.Issuer, c.document.Place(), c.document.Issuer)
	default:
		v.Clear(realmMismatch)
	}
}

// realmOf returns the tenant of an issuer: https://sts.windows.net/<tenant>/
// or id@<tenant>.
func realmOf(issuer string) string {
	if u, err := url.Parse(issuer); err == nil && u.Host != "" && u.Scheme != "" {
		realm, _, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
		return realm
	}
	_, realm, _ := strings.Cut(issuer, "@")
	return realm
}

func judgeLimit(v *check.Verdict, c comparison) {
	about := []string{c.server.Name}
	switch n := len(c.document.Certificates); {
	case n > maxExchange:
		v.Find(certificateLimit, about, "%d certificates are published for %s: over %d Exchange stores none", n, c.server.Name, maxExchange)
	case n >= nearLimit:
		v.Find(certificateLimit, about, "%d certificates are published for %s: Exchange stores at most %d", n, c.server.Name, maxExchange)
	default:
		v.Clear(certificateLimit)
	}
}

// judgeKeys looks whether the stored copies have the keys that sign tokens
// now. A key that is neither published nor stored says nothing: an application
// may have a signing key of its own.
func judgeKeys(v *check.Verdict, o observation, all []comparison) {
	for _, c := range all {
		for _, k := range o.used {
			if _, known := o.known[k]; known && !c.holds(k) {
				v.Find(signingKeyMissing, []string{k.String()}, "tokens are signed with %s, which %s lacks as %s shows", k, c.server.Name, o.held.From)
			}
		}
	}
	switch {
	case o.usedNow == nil && v.Found(signingKeyMissing):
	case o.usedNow == nil && o.keyErr != nil: // the keys of the day say nothing of an emergency
		v.Undecided(o.keyErr, signingKeyMissing)
	case o.usedNow == nil:
		v.Open("hmad received no new token: it is not known which key signs now", signingKeyMissing)
	case !o.recognised(*o.usedNow):
		v.Open(fmt.Sprintf("hmad's own token is signed with %s, which is neither published nor stored: it says nothing about the keys that phones "+
			"need", *o.usedNow), signingKeyMissing)
	case len(all) > 0:
		v.Clear(signingKeyMissing)
	}
}

// judgeAges compares how long certificates have been missing with the two
// windows: surely over one is found, surely within is in order, and between
// nobody can tell.
func judgeAges(v *check.Verdict, o observation, all []comparison) {
	page, window := missingOver(all, o.pageAfter), missingOver(all, o.window)
	switch {
	case page.surely:
		v.Find(metadataLongStale, page.thumbprints(), "missing for longer than %s: %s", check.Span(o.pageAfter), page)
		v.Supersede(metadataLongStale, metadataStale)
		return
	case len(page.lacks) > 0:
		v.Open(page.unsure(o.pageAfter), metadataLongStale)
	case len(all) > 0:
		v.Clear(metadataLongStale)
	}
	switch {
	case window.surely:
		v.Find(metadataStale, window.thumbprints(), "missing for longer than %s: %s", check.Span(o.window), window)
	case len(window.lacks) > 0:
		v.Undecided(check.Errorf(check.State, "%s", window.unsure(o.window)), metadataStale)
	case len(all) > 0:
		v.Clear(metadataStale)
	}
}

// overdue is what has, or may have, been missing for longer than a window: the
// longest first. Surely: the age of one at least is known to be over it.
type overdue struct {
	surely bool
	lacks  []lack
}

// lack is a published certificate that an auth server's copy lacks.
type lack struct {
	thumbprint Thumbprint
	server     string
	age        age
}

func missingOver(all []comparison, window time.Duration) (o overdue) {
	for _, c := range all {
		for i, m := range c.missing {
			surely, perhaps := c.ages[i].over(window)
			if o.surely = o.surely || surely; perhaps {
				o.lacks = append(o.lacks, lack{m.Thumbprint, c.server.Name, c.ages[i]})
			}
		}
	}
	slices.SortStableFunc(o.lacks, func(a, b lack) int { return cmp.Compare(b.age.Least, a.age.Least) })
	return o
}

// String lists the certificates, each with its auth server and age.
func (o overdue) String() string {
	var out []string
	for _, l := range o.lacks {
		out = append(out, fmt.Sprintf("%s (in %s, for %s)", l.thumbprint, l.server, l.age))
	}
	return check.List(out)
}

func (o overdue) thumbprints() []string {
	var out []string
	for _, l := range o.lacks {
		out = append(out, l.thumbprint.String())
	}
	return out
}

// unsure returns why nobody can tell whether the window has passed.
func (o overdue) unsure(window time.Duration) string {
	return fmt.Sprintf("hmad has not watched for long enough to know whether this has been missing for %s: "+
		"%s", check.Span(window), check.Clean(o.String(), maxDetail))
}

// names lists auth servers for people; named adds what tells them apart.
func names(all []report.AuthServer) string { return check.List(namesOfServers(all)) }

func named(all []report.AuthServer) string {
	var out []string
	for _, s := range all {
		out = append(out, fmt.Sprintf("%s (%s, realm %s)", s.Name, s.Type, s.Realm))
	}
	return check.List(out)
}

func namesOfServers(all []report.AuthServer) []string {
	var out []string
	for _, s := range all {
		out = append(out, s.Name)
	}
	return out
}
