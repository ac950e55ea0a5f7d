package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// MaxTableAge is how old the table of builds may be: two CUs may appear in it.
const MaxTableAge = 180 * 24 * time.Hour

// BuildTableTime dates the table by which builds are judged.
var BuildTableTime = &check.Metric{Name: "hmad_build_table_timestamp_seconds", Kind: check.Gauge,
	Help: "Unix time of the day up to which the table of Exchange builds in this version of hmad is complete."}

// server is an Exchange server with its build.
type server struct {
	name    string
	version version
	known   bool   // version could be read
	text    string // the version as reported
}

// readServers returns all servers of the organisation. The build is the one that
// the server itself reports, else the directory's, which knows no security
// updates.
func readServers(e estate) ([]server, error) {
	all, err := report.Newest(e.Evidence, report.Report.ExchangeServers)
	if err != nil {
		return nil, err
	}
	own, _ := each(e, report.Report.LocalServer)
	var servers []server
	for _, x := range all {
		s := server{name: x.Name, text: x.Version}
		for _, h := range own {
			if report.SameHost(h.host, x.Name) {
				s.text = h.value.Build
			}
		}
		s.version, s.known = parseVersion(s.text)
		servers = append(servers, s)
	}
	if len(servers) == 0 {
		return nil, check.Errorf(check.ReportInput, "section %s: no Exchange server", report.SectionServers)
	}
	return servers, nil
}

// judgeServers finds the servers of which fault says something. One whose
// version cannot be read leaves the requirement open.
func judgeServers(e estate, fault func(version) string) answer {
	servers, err := readServers(e)
	if err != nil {
		return open(err)
	}
	var good, bad, about []string
	for _, s := range known(servers) {
		if why := fault(s.version); why != "" {
			bad, about = append(bad, s.name+" "+why), append(about, s.name)
		} else {
			good = append(good, s.name+" "+buildName(s.version))
		}
	}
	switch err := unreadVersions(servers); {
	case len(bad) > 0:
		return unmet(about, "%s", check.List(bad))
	case err != nil:
		return open(err)
	default:
		return met("%s", check.List(good))
	}
}

// known returns the servers whose versions can be read, the oldest first.
func known(all []server) []server {
	some := slices.DeleteFunc(slices.Clone(all), func(s server) bool { return !s.known })
	slices.SortStableFunc(some, func(a, b server) int { return slices.Compare(a.version[:], b.version[:]) })
	return some
}

// unreadVersions returns an error that names the servers whose versions cannot
// be read; nil where there are none.
func unreadVersions(all []server) error {
	var unread []string
	for _, s := range all {
		if !s.known {
			unread = append(unread, s.name+" "+s.text)
		}
	}
	if len(unread) == 0 {
		return nil
	}
	return check.Errorf(check.ReportInput, "section %s: versions that cannot be read: %s", report.SectionServers, check.List(unread))
}

func judgeBuilds(e estate) answer { return judgeServers(e, tooOld) }

func judgeLegacy(e estate) answer { return judgeServers(e, legacy) }

// tooOld returns why a build does not meet the guide; empty where it does. Builds
// newer than the table meet it, legacy ones are judgeLegacy's.
func tooOld(v version) string {
	p := productOf(v)
	switch {
	case p == nil:
		return ""
	case v.before(p.minimum.build):
		return fmt.Sprintf("%s is below %s (%s), the least for hybrid Modern Authentication", buildName(v), p.minimum.name, p.minimum.build)
	case v.before(p.before.build):
		return fmt.Sprintf("%s is older than %s (%s), the CU before the current one", buildName(v), p.before.name, p.before.build)
	}
	return ""
}

// legacy returns the name of a build of Exchange 2010 or earlier, else nothing.
func legacy(v version) string {
	if v.before(oldest) {
		return buildName(v)
	}
	return ""
}

// buildName names a build for people: «15.2.1748.39 (2019 CU15)».
func buildName(v version) string {
	p := productOf(v)
	switch {
	case v[0] == 14:
		return v.String() + " (2010)"
	case v[0] == 8:
		return v.String() + " (2007)"
	case p == nil:
		return v.String()
	}
	words := []string{p.name}
	for _, u := range []cumulative{p.newest, p.before, p.minimum} {
		if u.build[2] == v[2] {
			words = append(words, u.name)
			break
		}
	}
	if p.ended != "" {
		words = append(words, "out of support since "+p.ended)
	}
	return v.String() + " (" + strings.Join(words, " ") + ")"
}

// judgeTable: hmad's own knowledge of builds must not be too old. It is when
// its date says so, or when a server has a CU that it does not know.
func judgeTable(e estate) answer {
	if age := e.now.Sub(e.tableDate); age > MaxTableAge {
		return unmet(nil, "the table is of %s, %d days old", check.Day(e.tableDate), days(age))
	}
	servers, err := readServers(e)
	if err != nil {
		return open(err)
	}
	var news, about []string
	for _, s := range known(servers) {
		if newerThanTable(s.version) {
			news, about = append(news, s.name+" "+s.version.String()), append(about, s.name)
		}
	}
	switch err := unreadVersions(servers); {
	case len(news) > 0:
		return unmet(about, "the table is of %s and does not know the update of %s", check.Day(e.tableDate), check.List(news))
	case err != nil:
		return open(err)
	default:
		return met("the table is of %s", check.Day(e.tableDate))
	}
}

// newerThanTable reports whether a build belongs to a CU, or a product, that came
// after the table. (The last part of a build counts security updates.)
func newerThanTable(v version) bool {
	p := productOf(v)
	if p == nil {
		return !v.before(oldest)
	}
	newest := p.newest.build
	return v[2] > newest[2]
}
