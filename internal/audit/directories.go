package audit

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// activesyncPath is that of every ActiveSync virtual directory.
const activesyncPath = "/microsoft-server-activesync"

type directory = report.VirtualDirectory

// judgeDirectories compares the ActiveSync directories' ExternalUrl, which
// AutoDiscover hands out, within each site and with the configured URL. Other
// sites may have other names, or none: Exchange then sends their users through
// a site that faces the Internet.
func judgeDirectories(e estate) answer {
	all, err := report.Newest(e.Evidence, report.Report.VirtualDirectories)
	if err != nil {
		return open(err)
	}
	servers, err := report.Newest(e.Evidence, report.Report.ExchangeServers)
	if err != nil {
		return open(err)
	}
	sites := map[string][]directory{}
	for _, d := range ofKind(all, report.KindActiveSync) {
		site := siteOf(servers, d.Server)
		sites[site] = append(sites[site], d)
	}
	if len(sites) == 0 {
		return open(check.Errorf(check.ReportInput, "section %s: no ActiveSync virtual directory", report.SectionDirectories))
	}
	var bad, about, urls, inward []string
	for _, site := range slices.Sorted(maps.Keys(sites)) {
		if fault := faultOfSite(site, sites[site]); fault != "" {
			bad, about = append(bad, fault), append(about, serversOf(sites[site])...)
		}
		if i := slices.IndexFunc(sites[site], func(d directory) bool { return d.ExternalURL != "" }); i >= 0 {
			urls = append(urls, sites[site][i].ExternalURL)
		} else {
			inward = append(inward, siteName(site))
		}
	}
	configured := func(u string) bool { return normalURL(u) == normalURL(e.activesync) }
	switch {
	case len(urls) == 0 && len(bad) == 0:
		bad, about = append(bad, "no site has an ExternalUrl"), append(about, serversOf(ofKind(all, report.KindActiveSync))...)
	case e.activesync != "" && !slices.ContainsFunc(urls, configured):
		bad, about = append(bad, "no site has the configured "+e.activesync), append(about, serversOf(ofKind(all, report.KindActiveSync))...)
	}
	switch {
	case len(bad) > 0:
		return unmet(about, "%s", check.List(bad))
	case len(inward) > 0:
		return met("ExternalUrl %s; none in site %s", check.List(urls), check.List(inward))
	default:
		return met("ExternalUrl %s", check.List(urls))
	}
}

func serversOf(directories []directory) []string {
	var names []string
	for _, d := range directories {
		names = append(names, d.Server)
	}
	return names
}

func siteName(site string) string { return cmp.Or(site, "(unknown)") }

// faultOfSite returns what is wrong with the directories of one site, of which
// there is at least one; empty where nothing is.
func faultOfSite(site string, directories []directory) string {
	differs := func(d directory) bool {
		return normalURL(d.ExternalURL) != normalURL(directories[0].ExternalURL)
	}
	if slices.ContainsFunc(directories, differs) {
		var all []string
		for _, d := range directories {
			all = append(all, d.Server+" has "+cmp.Or(d.ExternalURL, "no ExternalUrl"))
		}
		return fmt.Sprintf("in site %s %s", siteName(site), check.List(all))
	}
	u := normalURL(directories[0].ExternalURL)
	if u != "" && (!strings.HasPrefix(u, "https://") || !strings.HasSuffix(u, activesyncPath)) {
		return directories[0].Server + " has " + directories[0].ExternalURL
	}
	return ""
}

// normalURL puts a URL in the form in which equal ones are equal: without
// regard to case, the default port and a final slash.
func normalURL(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return s
	}
	host := u.Host
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host + strings.TrimSuffix(u.Path, "/")
}

func ofKind(all []directory, kind string) []directory {
	return slices.DeleteFunc(slices.Clone(all), func(d directory) bool { return !strings.EqualFold(d.Kind, kind) })
}

// siteOf returns the last part of the server's site, which Exchange writes as
// contoso.com/Configuration/Sites/HQ.
func siteOf(servers []report.ExchangeServer, name string) string {
	for _, s := range servers {
		if report.SameHost(s.Name, name) && s.Site != "" {
			return path.Base(s.Site)
		}
	}
	return ""
}

// oauthKinds are the directories on which OAuth is a setting. ActiveSync is not
// among them: there it is a module of web.config.
var oauthKinds = []string{report.KindMapi, report.KindWebServices, report.KindOAB, report.KindAutodiscover}

// judgeOAuthDirectories: OAuth must be among the methods of each, internal and
// external.
func judgeOAuthDirectories(e estate) answer {
	all, err := report.Newest(e.Evidence, report.Report.VirtualDirectories)
	if err != nil {
		return open(err)
	}
	var bad, about []string
	looked := 0
	for _, kind := range oauthKinds {
		some := ofKind(all, kind)
		if len(some) == 0 {
			return open(check.Errorf(check.ReportInput, "section %s: no %s virtual directory", report.SectionDirectories, kind))
		}
		for _, d := range some {
			looked++
			if !offersOAuth(d) {
				bad, about = append(bad, d.Server+" "+kind), append(about, d.Server)
			}
		}
	}
	if len(bad) > 0 {
		return unmet(about, "OAuth missing on %s", check.List(bad))
	}
	return met("OAuth on all %d directories", looked)
}

// offersOAuth: in each list of methods that Exchange shows, or in IIS's where
// it shows no other.
func offersOAuth(d directory) bool {
	lists := slices.DeleteFunc([][]string{d.InternalAuth, d.ExternalAuth}, func(l []string) bool { return len(l) == 0 })
	if len(lists) == 0 {
		lists = [][]string{d.IISAuth}
	}
	for _, l := range lists {
		if !slices.ContainsFunc(l, func(m string) bool { return strings.EqualFold(m, "OAuth") }) {
			return false
		}
	}
	return true
}
