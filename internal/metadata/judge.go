package metadata

import (
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

// judge gives the verdict of evosts_metadata.
func judge(o observation) *verdict {
	v := new(verdict)
	if o.heldErr != nil {
		v.unknown(o.heldErr, evostsReasons...)
		v.unknown(o.publishedErr)
		return v
	}
	if r := judgeServers(v, o); r != nil {
		v.unknown(nil, check.After(evostsReasons, r)...)
		return v
	}
	judgeDefault(v, o)
	if o.publishedErr != nil {
		v.unknown(o.publishedErr, check.After(evostsReasons, defaultEndpointAmbiguous)...)
		return v
	}
	all := o.comparisons()
	for _, c := range all {
		judgeRealm(v, o, c)
		judgeLimit(v, c)
	}
	judgeKeys(v, o, all)
	judgeAges(v, o, all)
	return v
}

// judgeServers looks whether the tenant has an auth server in use, and gives
// the reason where it has none: nothing after it makes sense then.
func judgeServers(v *verdict, o observation) *check.Reason {
	switch {
	case len(o.servers) == 0:
		v.found(authServerMissing, "%s shows no auth server of type %s with the realm %s; it shows %s", o.held.From, report.TypeAzureAD, o.tenant, named(o.held.Servers))
		return authServerMissing
	case len(o.enabled()) == 0:
		v.found(authServerDisabled, "%s is disabled, as %s shows", names(o.servers), o.held.From)
		return authServerDisabled
	}
	return nil
}

// judgeDefault looks whether exactly one enabled auth server of any type is
// the default authorisation endpoint, and whether it is the tenant's.
func judgeDefault(v *verdict, o observation) {
	var defaults, others []report.AuthServer
	for _, s := range o.held.Servers {
		if s.Enabled && s.Default {
			defaults = append(defaults, s)
		}
	}
	others = slices.DeleteFunc(slices.Clone(defaults), func(s report.AuthServer) bool {
		return slices.ContainsFunc(o.servers, func(t report.AuthServer) bool { return t.Name == s.Name })
	})
	switch {
	case len(defaults) > 1:
		v.found(defaultEndpointAmbiguous, "%d auth servers are the default: %s", len(defaults), named(defaults))
	case len(defaults) == 0:
		v.found(defaultEndpointMissing, "no enabled auth server is the default; the tenant's is %s", names(o.enabled()))
	case len(others) == 1:
		v.found(defaultEndpointMissing, "the default is %s, not the tenant's %s", named(others), names(o.enabled()))
	}
}

// judgeRealm compares who publishes with whom the auth server names, as
// Exchange does before it stores anything (event 2007).
func judgeRealm(v *verdict, o observation, c comparison) {
	realm := realmOf(c.document.Issuer)
	issuer := strings.TrimRight(c.server.Issuer, "/")
	switch {
	case c.document.Issuer == "":
		v.unknown(nil, realmMismatch)
	case !strings.EqualFold(realm, strings.TrimSpace(c.server.Realm)):
		v.found(realmMismatch, "%s has the realm %s, and the metadata at %s is of %s", c.server.Name, c.server.Realm, shownURL(c.document.URL), c.document.Issuer)
	case o.override == "" && issuer != "" && !strings.EqualFold(issuer, strings.TrimRight(c.document.Issuer, "/")):
		v.found(realmMismatch, "%s has the issuer %s, and the metadata at %s is of %s", c.server.Name, c.server.Issuer, shownURL(c.document.URL), c.document.Issuer)
	}
}

// realmOf takes the tenant out of an issuer: https://sts.windows.net/<tenant>/
// or id@<tenant>.
func realmOf(issuer string) string {
	if u, err := url.Parse(issuer); err == nil && u.Host != "" && u.Scheme != "" {
		realm, _, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
		return realm
	}
	_, realm, _ := strings.Cut(issuer, "@")
	return realm
}

func judgeLimit(v *verdict, c comparison) {
	switch n := len(c.document.Certificates); {
	case n > maxExchange:
		v.found(certificateLimit, "%d certificates are published for %s: over %d Exchange stores none", n, c.server.Name, maxExchange)
	case n >= nearLimit:
		v.found(certificateLimit, "%d certificates are published for %s: Exchange stores at most %d", n, c.server.Name, maxExchange)
	}
}

// judgeKeys looks whether the stored copies have the keys that sign tokens
// now. A key that is neither published nor stored says nothing: an application
// may have a signing key of its own.
func judgeKeys(v *verdict, o observation, all []comparison) {
	if !o.credential {
		v.unknown(nil, signingKeyMissing)
		return
	}
	for _, c := range all {
		stored := setOf(c.stored)
		for _, k := range o.used {
			_, held := stored[k]
			_, known := o.known[k]
			if known && !held {
				v.found(signingKeyMissing, "tokens are signed with %s, which %s lacks as %s shows", k, c.server.Name, o.held.From)
			}
		}
	}
	switch {
	case o.usedNow != nil && !o.recognised(*o.usedNow):
		v.unknown(nil, signingKeyMissing)
	case o.usedNow == nil && !v.has(signingKeyMissing): // the keys of the day say nothing of an emergency
		v.unknown(o.keyErr, signingKeyMissing)
	}
}

// judgeAges compares how long certificates have been missing with the two
// windows: surely over one is found, surely within is in order, and between
// nobody can tell.
func judgeAges(v *verdict, o observation, all []comparison) {
	var ages []age
	for _, c := range all {
		ages = append(ages, c.ages...)
	}
	overPage, perhapsPage := anyOver(ages, o.pageAfter)
	overWindow, perhapsWindow := anyOver(ages, o.window)
	switch {
	case overPage:
		v.found(metadataLongStale, "missing for longer than %s: %s", span(o.pageAfter), missingOver(all, o.pageAfter))
		return
	case overWindow:
		v.found(metadataStale, "missing for longer than %s: %s", span(o.window), missingOver(all, o.window))
	case perhapsWindow:
		v.unknown(check.Errorf(check.State, "hmad has not watched for long enough to know whether this has been missing for %s: %s",
			span(o.window), check.Clean(missingOver(all, o.window), maxDetail)), metadataStale)
	}
	if perhapsPage {
		v.unknown(nil, metadataLongStale)
	}
}

// missingOver lists what surely or perhaps has been missing for longer.
func missingOver(all []comparison, window time.Duration) string {
	var words []string
	for _, c := range all {
		for i, m := range c.missing {
			if _, perhaps := c.ages[i].over(window); perhaps {
				words = append(words, fmt.Sprintf("%s (in %s, for %s)", m.Thumbprint, c.server.Name, c.ages[i]))
			}
		}
	}
	return strings.Join(words, ", ")
}

// names lists auth servers; named adds what tells them apart.
func names(all []report.AuthServer) string {
	return list(all, func(s report.AuthServer) string { return s.Name })
}

func named(all []report.AuthServer) string {
	return list(all, func(s report.AuthServer) string { return fmt.Sprintf("%s (%s, realm %s)", s.Name, s.Type, s.Realm) })
}

func list(all []report.AuthServer, say func(report.AuthServer) string) string {
	if len(all) == 0 {
		return "none"
	}
	var words []string
	for _, s := range all {
		words = append(words, say(s))
	}
	return strings.Join(words, ", ")
}
