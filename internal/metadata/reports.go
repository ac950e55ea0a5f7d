package metadata

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	Doc: "Do the Exchange servers report, and whole? Other checks judge by the reports of hmad's collector: this one says when a host's report is late (over three of its intervals old, or over two hours), " +
		"missing, unreadable, dated in the future, or lacks a part, or has one that hmad or the collector could not read. Hosts that should report are named in `onprem.report.hosts`; " +
		"without that, hmad expects every host that reported in the last seven days.",
	Needs:   "onprem.report.listen or onprem.report.file",
	Every:   "*/5 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{ReportTime, intake.Pushes, entra.CredentialNotAfter},
	Reasons: reportReasons,
	New:     newOnPremReport,
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
	return check.Parts{Run: (&onPremReport{t.OnPrem.Report, env, reportsOf(env)}).run}, nil
}

// onPremReport is the check for one target.
type onPremReport struct {
	settings config.Report
	env      check.Env
	reports  func() ([]report.Arrived, error)
}

func (p *onPremReport) run(context.Context) (check.Report, error) {
	now := p.env.Now()
	listener := p.listenerSamples()
	arrived, err := p.reports()
	if err != nil {
		return check.Report{Unjudged: check.Unevaluated(reportReasons...), Samples: listener}, classed(check.ReportInput, "on-premises report", err)
	}
	v := judgeReports(arrived, p.expected(arrived, now), now)
	report, err := v.report(reportReasons)
	report.Samples = append(report.Samples, listener...)
	for _, a := range arrived {
		if a.Host != "" {
			report.Samples = append(report.Samples, check.Sample{Metric: ReportTime, Value: unix(a.GeneratedAt), Labels: []string{a.Host}})
			report.Notes = append(report.Notes, check.Notes(describe(a, now))...)
			if advice := a.IntervalAdvice(); advice != "" {
				report.Notes = append(report.Notes, check.Notes(advice)...)
			}
		}
	}
	return report, err
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

// expected gives the hosts that should report: those of the config, else those
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

// judgeReports gives the verdict of onprem_report: every host is judged by
// itself, and one finding a reason names them all.
func judgeReports(arrived []report.Arrived, expected []string, now time.Time) *verdict {
	about := map[*check.Reason][]string{}
	add := func(r *check.Reason, format string, args ...any) {
		about[r] = append(about[r], fmt.Sprintf(format, args...))
	}
	present := hostsOf(arrived)
	for _, host := range expected {
		if !slices.ContainsFunc(present, func(h string) bool { return report.SameHost(h, host) }) {
			add(reportMissing, "%s", host)
		}
	}
	if len(arrived) == 0 && len(expected) == 0 {
		add(reportMissing, "no report of any host has arrived")
	}
	for _, a := range arrived {
		// A file that is just being written has its earlier copy.
		if a.Err != nil && (a.Host == "" || !errors.Is(a.Err, report.ErrTruncated) || a.Late(now)) {
			add(reportInvalid, "%s", a.Err)
		}
		if a.Host == "" {
			continue
		}
		if skew := a.GeneratedAt.Sub(now); skew > maxSkew {
			add(reportClockSkew, "%s's is dated %s ahead", a.Host, skew.Round(time.Second))
		}
		if a.Late(now) {
			add(reportLate, "%s's is of %s, and comes every %s", a.Host, moment(a.GeneratedAt), span(a.Interval))
		}
		for _, why := range badSections(a.Report) {
			add(reportSectionFailed, "%s", why)
		}
	}
	v := new(verdict)
	for _, r := range reportReasons {
		if len(about[r]) > 0 {
			v.found(r, "%s", strings.Join(about[r], "; "))
		}
	}
	if len(present) == 0 {
		v.unknown(nil, reportClockSkew, reportLate, reportSectionFailed)
	}
	return v
}

// badSections tells of every section that failed at the collector, is missing
// or cannot be read: each names its host and itself.
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

// describe says of a report what a person wants to see of it.
func describe(a report.Arrived, now time.Time) string {
	return check.Clean(fmt.Sprintf("%s: report of %s (%s ago), collector %s, every %s, made in %s, %d sections, %d failed",
		a.Host, moment(a.GeneratedAt), span(max(0, now.Sub(a.GeneratedAt))), a.Collector, span(a.Interval), a.Took.Round(time.Millisecond), len(a.Sections), len(badSections(a.Report))), maxDetail)
}
