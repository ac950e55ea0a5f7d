package metadata

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/report/intake"
)

// OnPremReport is the check of the on-premises reports themselves.
var OnPremReport = &check.Def{
	Name: "onprem_report",
	Doc: "Do all Exchange servers send complete reports? Other checks judge by the reports of hmad's collector. This check finds a report that is " +
		"late (over three of its intervals old, or over two hours), missing, unreadable or dated in the future, and a section that is missing or " +
		"that hmad or the collector could not read, or a value in one that hmad could not. `onprem.report.hosts` names the hosts that should report. The reports of others are then not used, and a note names them. If it is not set, hmad expects every " +
		"host that reported in the last seven days.",
	Needs:   config.ReportNeeds,
	Every:   "*/5 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{ReportTime, intake.Pushes, entra.CredentialNotAfter},
	Reasons: reportReasons,
	Facts:   []*check.Fact{collectorVersion},
	Implies: []check.Implication{{Causes: []*check.Reason{reportMissing, reportLate, reportInvalid},
		Effects: []string{"evosts_metadata.undecided", "metadata_refresh.undecided", "configuration.undecided", "onprem_sync.undecided"}}},
	New: newOnPremReport,
}

const (
	// hostsKey is the place in the memory of the hosts that reported.
	hostsKey = "onprem_report.hosts"
	// expectedFor is how long a host that the config does not name is expected
	// to report after it did.
	expectedFor = 7 * 24 * time.Hour
	// maxSkew is how far in the future a report may be dated.
	maxSkew = time.Minute
)

func newOnPremReport(t config.Target, env check.Env) (check.Parts, error) {
	if !t.OnPrem.Report.Configured() {
		return check.Parts{}, nil
	}
	return check.Parts{Run: (&onPremReport{t.OnPrem.Report, env, report.Of(env, t.OnPrem.Report.Hosts)}).run}, nil
}

// onPremReport is the check for one target.
type onPremReport struct {
	settings config.Report
	env      check.Env
	reports  func() ([]report.Arrived, error)
}

func (p *onPremReport) run(_ context.Context, v *check.Verdict) {
	now := p.env.Now()
	v.Samples(p.listenerSamples()...)
	v.Repeat("Get-ScheduledTask *hmad* | Get-ScheduledTaskInfo")
	arrived, err := p.reports()
	if err != nil {
		v.Undecided(classed(check.ReportInput, "on-premises report", err))
		return
	}
	refused := intake.RefusedOf(p.env.Memory, now)
	judgeReports(v, arrived, p.expected(arrived, now), refused, now)
	for _, host := range slices.Sorted(maps.Keys(refused.Hosts)) {
		if no := refused.Hosts[host]; no.Code == http.StatusForbidden {
			v.Note("%s: %s", host, no)
		}
	}
	for _, why := range report.EvidenceOf(arrived, now).Ignored {
		v.Note("%v", why)
	}
	for _, a := range refused.Addresses {
		v.Note("refused before it showed who it is: %s", a)
	}
	for _, a := range arrived {
		if a.Host != "" {
			v.Sample(ReportTime, unix(a.GeneratedAt), a.Host)
			v.Fact(collectorVersion, a.Host, a.Collector)
			v.Note("%s", describe(a, now))
			for _, advice := range []string{a.IntervalAdvice(), a.CollectorAdvice()} {
				if advice != "" {
					v.Note("%s", advice)
				}
			}
		}
	}
}

// listenerSamples returns the end of the certificate by which the target's
// Exchange servers know hmad; nothing where no reports are listened for.
func (p *onPremReport) listenerSamples() []check.Sample {
	notAfter, ok := intake.CertificateNotAfter(p.settings, p.env)
	if !ok {
		return nil
	}
	return []check.Sample{{Metric: entra.CredentialNotAfter, Value: unix(notAfter), Labels: []string{"report_listener"}}}
}

// expected returns the hosts that should report: those of the config, else those
// that did within seven days.
func (p *onPremReport) expected(arrived []report.Arrived, now time.Time) []string {
	if len(p.settings.Hosts) > 0 {
		return p.settings.Hosts
	}
	last := map[string]time.Time{}
	p.env.Memory.Get(hostsKey, &last)
	maps.DeleteFunc(last, func(_ string, at time.Time) bool { return now.Sub(at) > expectedFor || at.Sub(now) > expectedFor })
	for _, host := range hostsOf(arrived) {
		maps.DeleteFunc(last, func(h string, _ time.Time) bool { return report.SameHost(h, host) })
		last[host] = now
	}
	p.env.Memory.Put(hostsKey, last)
	return slices.Sorted(maps.Keys(last))
}

// judgeReports fills the verdict of onprem_report: every host is judged by
// itself, and one finding a reason names them all.
func judgeReports(v *check.Verdict, arrived []report.Arrived, expected []string, refused intake.Refused, now time.Time) {
	present := hostsOf(arrived)
	judgeMissing(v, arrived, expected, present, refused)
	if len(arrived) == 0 {
		v.Open("no report has arrived", reportInvalid)
	} else {
		settle(v, reportInvalid, invalid(arrived, now))
	}
	if len(present) == 0 {
		v.Open("no report could be read", reportClockSkew, reportLate, reportSectionFailed)
		return
	}
	settle(v, reportClockSkew, ahead(arrived, now))
	settle(v, reportLate, behind(arrived, refused, now))
	settle(v, reportSectionFailed, lacking(arrived))
}

// fault is what is wrong with a host's report; by weight, the worst have most.
type fault struct {
	host, what string
	weight     time.Duration
}

// settle finds a reason with all its faults, or clears it.
func settle(v *check.Verdict, r *check.Reason, faults []fault) {
	if len(faults) == 0 {
		v.Clear(r)
		return
	}
	slices.SortStableFunc(faults, func(a, b fault) int { return cmp.Compare(b.weight, a.weight) })
	var hosts, words []string
	for _, f := range faults {
		hosts, words = append(hosts, f.host), append(words, f.what)
	}
	v.Find(r, hosts, "%s", strings.Join(words, "; "))
}

// judgeMissing compares the hosts that should report with those that do.
func judgeMissing(v *check.Verdict, arrived []report.Arrived, expected, present []string, refused intake.Refused) {
	var missing []fault
	for _, host := range expected {
		if !slices.ContainsFunc(present, func(h string) bool { return report.SameHost(h, host) }) {
			what := host
			if no, ok := refused.After(host, time.Time{}); ok {
				what += " (" + no.String() + ")"
			}
			missing = append(missing, fault{host: host, what: what})
		}
	}
	switch {
	case len(expected) > 0:
		settle(v, reportMissing, missing)
	case len(arrived) == 0:
		v.Find(reportMissing, nil, "no report of any host has arrived")
	default:
		v.Open("no host is expected: onprem.report.hosts names none, and none has reported yet", reportMissing)
	}
}

// invalid returns the files that cannot be read. One that is just being written
// has its earlier copy.
func invalid(arrived []report.Arrived, now time.Time) (all []fault) {
	for _, a := range arrived {
		if a.Err != nil && (a.Host == "" || !errors.Is(a.Err, report.ErrTruncated) || a.Late(now)) {
			all = append(all, fault{host: cmp.Or(a.Host, a.File), what: a.Err.Error()})
		}
	}
	return all
}

// ahead returns the hosts whose reports are dated in the future.
func ahead(arrived []report.Arrived, now time.Time) (all []fault) {
	for _, a := range arrived {
		if skew := a.GeneratedAt.Sub(now); a.Host != "" && skew > maxSkew {
			all = append(all, fault{a.Host, fmt.Sprintf("%s's is dated %s ahead", a.Host, check.Span(skew)), skew})
		}
	}
	return all
}

// behind returns the hosts whose last reports are too old, each with a later push
// that was refused.
func behind(arrived []report.Arrived, refused intake.Refused, now time.Time) (all []fault) {
	for _, a := range arrived {
		if a.Host != "" && a.Late(now) {
			what := fmt.Sprintf("%s's is of %s, and comes every %s", a.Host, check.Moment(a.GeneratedAt), check.Span(a.Interval))
			if no, ok := refused.After(a.Host, a.GeneratedAt); ok {
				what += "; " + no.String()
			}
			all = append(all, fault{a.Host, what, now.Sub(a.GeneratedAt)})
		}
	}
	return all
}

// lacking returns the hosts of whose reports a part is bad.
func lacking(arrived []report.Arrived) (all []fault) {
	for _, a := range arrived {
		if a.Host == "" {
			continue
		}
		for _, why := range badSections(a.Report) {
			all = append(all, fault{host: a.Host, what: why})
		}
		for _, err := range a.UnreadValues() {
			all = append(all, fault{host: a.Host, what: err.Error()})
		}
	}
	return all
}

// badSections returns what is wrong with each section that failed at the
// collector, is missing or cannot be read, with the names of host and section.
func badSections(r report.Report) []string {
	bad := map[string]string{}
	for name, err := range r.Unreadable() {
		bad[name] = err.Error()
	}
	for name, s := range r.Sections {
		if !s.OK {
			bad[name] = fmt.Sprintf("%s: %s: %s", r.Host, name, s.Error)
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		out = append(out, bad[name])
	}
	return out
}

// describe returns a line about a report.
func describe(a report.Arrived, now time.Time) string {
	return check.Clean(fmt.Sprintf("%s: report of %s (%s ago), collector %s, every %s, made in %s, %d sections, %d failed",
		a.Host, check.Moment(a.GeneratedAt), check.Span(max(0, now.Sub(a.GeneratedAt))), a.Collector, check.Span(a.Interval),
		check.Span(a.Took), len(a.Sections), len(badSections(a.Report))), maxDetail)
}
