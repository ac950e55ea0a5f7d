package audit

import (
	"fmt"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// MaxUpdatesAge is how old the table of security updates may be: they came monthly
// in 2026.
const MaxUpdatesAge = 60 * 24 * time.Hour

// SecurityUpdatesTime dates the table by which security updates are judged.
var SecurityUpdatesTime = &check.Metric{Name: "hmad_security_update_table_timestamp_seconds", Kind: check.Gauge,
	Help: "Unix time of the day up to which the table of Exchange's security updates in this version of hmad is complete. Over 60 days later " +
		"security_update_old is not judged."}

// updatesDate is the day up to which the table of security updates is known to be
// complete.
func updatesDate() time.Time { return time.Date(2026, time.October, 2, 0, 0, 0, 0, time.UTC) }

// securityUpdate is the newest security update of a cumulative update.
type securityUpdate struct {
	name  string
	build version
}

// updates lists those of the products in support. Source: microsoft/CSS-Exchange,
// Shared/Get-ExchangeBuildVersionInformation.ps1 at commit 01bad118924c, as for
// builds, and the release notes of Sep26SU v2 (KB 5129955 to 5129958).
var updates = []securityUpdate{{"Sep26SU v2", version{15, 2, 2562, 53}}}

// judgeSupport finds servers whose product is out of support. Of those that are too
// old, or older than 2013, other requirements tell.
func judgeSupport(e estate) answer { return judgeServers(e, unsupported) }

// unsupported returns why a build is out of support; empty where it is not, or
// another requirement tells of it.
func unsupported(v version) string {
	p := productOf(v)
	if p == nil || p.ended == "" || tooOld(v) != "" {
		return ""
	}
	return buildName(v)
}

// judgeUpdates finds servers that lack the newest security update of their
// cumulative update, by what each says itself: the directory knows cumulative
// updates alone. A build newer than the table is in order.
func judgeUpdates(e estate) answer {
	if age := e.now.Sub(e.updatesDate); age > MaxUpdatesAge {
		return moot("hmad's table of security updates is of %s, %d days old: a newer hmad brings a newer one", check.Day(e.updatesDate), days(age))
	}
	own, err := each(e, report.Report.LocalServer)
	var good, bad, about []string
	for _, h := range own {
		v, ok := parseVersion(h.value.Build)
		if !ok {
			err = check.Errorf(check.ReportInput, "%s: section %s: the build cannot be read", h.host, report.SectionLocalServer)
			continue
		}
		if newest := newestUpdate(v); newest != nil && v.before(newest.build) {
			bad, about = append(bad, fmt.Sprintf("%s %s is older than %s (%s)", h.host, buildName(v), newest.name, newest.build)), append(about, h.host)
			continue
		}
		good = append(good, h.host+" "+buildName(v))
	}
	switch {
	case len(bad) > 0:
		return unmet(about, "%s", check.List(bad))
	case err != nil:
		return open(err)
	default:
		return met("%s", check.List(good))
	}
}

// newestUpdate returns the newest security update of a build's cumulative update;
// nil where the table has none.
func newestUpdate(v version) *securityUpdate {
	for i, u := range updates {
		if [3]int(u.build[:3]) == [3]int(v[:3]) {
			return &updates[i]
		}
	}
	return nil
}
