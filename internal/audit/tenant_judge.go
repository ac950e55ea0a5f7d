package audit

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/graph"
)

// judge fills the verdict. An area that could not be seen leaves its own reasons
// undecided.
func (s tenantSeen) judge(v *check.Verdict) {
	if id := s.organization.value.ID; s.organization.err == nil && !strings.EqualFold(id, s.tenant) {
		v.Undecided(check.Errorf(check.Other, "Microsoft Graph answered for another tenant than the config's: is graph.client_id an app of this one?"))
		return
	}
	s.judgePrincipal(v)
	s.judgeOrganization(v)
	s.judgeAccess(v)
	s.judgeProtection(v)
	s.judgeLicences(v)
}

// judgePrincipal compares the service principal names with the hosts. Without a
// principal there are none.
func (s tenantSeen) judgePrincipal(v *check.Verdict) {
	p := s.principal
	absent := errors.Is(p.err, graph.ErrNotThere)
	if p.err != nil && !absent {
		v.Undecided(p.err, principalReasons...)
		return
	}
	var missing []string
	for _, host := range s.hosts {
		registered := !absent && slices.ContainsFunc(p.value.Names, func(name string) bool { return hostOfName(name) == host })
		v.Sample(NameRegistered, oneIf(registered), host)
		v.Fact(registeredNames, host, map[bool]string{true: "registered", false: "not registered"}[registered])
		if !registered {
			missing = append(missing, host)
		}
	}
	switch {
	case absent:
		v.Find(spnMissing, missing, "the tenant has no service principal %s", graph.ExchangeOnline)
		v.Open("there is no such service principal", exchangePrincipalDisabled)
		return
	case len(missing) > 0:
		v.Find(spnMissing, missing, "no service principal name of Office 365 Exchange Online: %s; it has %d names",
			check.List(withScheme(missing)), len(p.value.Names))
	default:
		v.Clear(spnMissing)
	}
	if p.value.Enabled != nil && !*p.value.Enabled {
		v.Find(exchangePrincipalDisabled, nil, "the service principal %s has accountEnabled false", graph.ExchangeOnline)
		return
	}
	v.Clear(exchangePrincipalDisabled)
}

// hostOfName returns the host of a service principal name that is a URL of https,
// as Exchange compares it: in lower case, without port 443, whatever stands behind
// it. Another name has none.
func hostOfName(name string) string {
	u, err := url.Parse(strings.ToLower(strings.TrimSpace(name)))
	if err != nil || u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return ""
	}
	if u.Port() == "443" {
		return u.Hostname()
	}
	return u.Host
}

func withScheme(hosts []string) []string {
	var names []string
	for _, h := range hosts {
		names = append(names, "https://"+h+"/")
	}
	return names
}

func oneIf(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// judgeOrganization judges Entra Connect and the domains.
func (s tenantSeen) judgeOrganization(v *check.Verdict) {
	if s.organization.err != nil {
		v.Undecided(s.organization.err, organizationReasons...)
		return
	}
	o := s.organization.value
	v.Fact(tenantDomains, "", strings.Join(slices.Sorted(slices.Values(o.Domains)), ", "))
	if !o.LastSync.IsZero() {
		v.Sample(DirectorySync, float64(o.LastSync.Unix()))
	}
	switch age := s.now.Sub(o.LastSync); {
	case !o.SyncOn:
		v.Find(directorySyncOff, nil, "onPremisesSyncEnabled is not true")
		v.Supersede(directorySyncOff, directorySyncStale)
	case o.LastSync.IsZero():
		v.Clear(directorySyncOff)
		v.Find(directorySyncStale, nil, "synchronisation is on and has never run")
	case age > s.staleAfter:
		v.Clear(directorySyncOff)
		v.Find(directorySyncStale, nil, "the last run was at %s, %s ago; wanted: %s at most", check.Moment(o.LastSync), check.Span(age), check.Span(s.staleAfter))
	default:
		v.Clear(directorySyncOff, directorySyncStale)
	}
	if slices.ContainsFunc(o.Domains, func(d string) bool { return strings.EqualFold(d, s.domain) }) {
		v.Clear(domainNotVerified)
		return
	}
	v.Find(domainNotVerified, []string{s.domain}, "%s is not among the %d verified domains of the tenant", s.domain, len(o.Domains))
}

// judgeLicences judges each user's service plans.
func (s tenantSeen) judgeLicences(v *check.Verdict) {
	var names, lack []string
	known := 0
	for _, u := range s.users {
		switch {
		case errors.Is(u.err, graph.ErrNotThere):
			v.Undecided(check.Errorf(check.Other, "%s: the tenant knows no user by this name or mail address", cmp.Or(u.name, check.UnnamedMailbox)), licenceMissing)
		case u.err != nil:
			v.Undecided(u.err, licenceMissing)
		case len(u.value) > 0:
			lack = append(lack, cmp.Or(u.name, check.UnnamedMailbox)+" lacks "+check.List(u.value))
			names = append(names, u.name)
		default:
			known++
		}
	}
	if len(lack) > 0 {
		v.Find(licenceMissing, names, "%s", check.List(lack))
	} else if known == len(s.users) {
		v.Clear(licenceMissing)
	}
}
