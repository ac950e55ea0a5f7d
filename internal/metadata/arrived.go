package metadata

import (
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// reportsOf gives the function that reads the target's reports. It is for one
// check, which does not run beside itself.
func reportsOf(env check.Env) func() ([]report.Arrived, error) {
	reader := new(report.Reader)
	return func() ([]report.Arrived, error) {
		if env.Reports == "" {
			return nil, check.Errorf(check.ReportInput, "there is no folder of on-premises reports")
		}
		return reader.Read(env, env.Reports)
	}
}

// late says whether a report has been followed by none for too long.
func late(r report.Report, now time.Time) bool {
	return now.Sub(r.GeneratedAt) > report.LateAfter*r.Interval
}

// freshReports gives the reports that speak for the present, newest first; an
// error of class report where there is none.
func freshReports(arrived []report.Arrived, now time.Time) ([]report.Report, error) {
	var fresh []report.Report
	var seen []string
	for _, a := range arrived {
		switch {
		case a.Host == "":
		case !a.Fresh(now):
			seen = append(seen, a.Host+"'s of "+moment(a.GeneratedAt))
		default:
			fresh = append(fresh, a.Report)
		}
	}
	if len(arrived) == 0 {
		return nil, check.Errorf(check.ReportInput, "no on-premises report has arrived yet: docs/onprem-report.md says how Exchange servers send theirs")
	}
	if len(fresh) == 0 && len(seen) == 0 {
		return nil, check.Errorf(check.ReportInput, "no on-premises report is there that can be read")
	}
	if len(fresh) == 0 {
		return nil, check.Errorf(check.ReportInput, "no on-premises report speaks for now: the newest of each host are %s", check.Clean(strings.Join(seen, ", "), maxDetail))
	}
	slices.SortStableFunc(fresh, func(a, b report.Report) int { return b.GeneratedAt.Compare(a.GeneratedAt) })
	return fresh, nil
}

// sameHost compares the names of servers, one of which may be qualified.
func sameHost(a, b string) bool { return strings.EqualFold(shortHost(a), shortHost(b)) }

func shortHost(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), ".")
	return s
}
