package metadata

import (
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/entra"
)

// The families of this package.
var (
	Certificates = &check.Metric{Name: "hmad_evosts_certificates", Kind: check.Gauge, Labels: []string{"auth_server", "set"},
		Help: "Signing certificates by set: published (by Microsoft now), stored (in Exchange's copy), missing (published and not stored), extra " +
			"(stored and no longer published)."}
	MissingSince = &check.Metric{Name: "hmad_evosts_missing_since_timestamp_seconds", Kind: check.Gauge, Labels: []string{"auth_server"},
		Help: "Unix time since which the longest missing certificate is known to be missing in Exchange's copy; absent when none is missing."}
	Deadline = &check.Metric{Name: "hmad_evosts_deadline_timestamp_seconds", Kind: check.Gauge, Labels: []string{"auth_server"},
		Help: "Unix time until which the longest missing certificate may be missing (the time since which it is missing plus " +
			"hmad_evosts_window_seconds); absent when none is missing."}
	WindowSeconds = &check.Metric{Name: "hmad_evosts_window_seconds", Kind: check.Gauge,
		Help: "Time within which Exchange should have copied a published certificate (metadata.window)."}
	PageAfterSeconds = &check.Metric{Name: "hmad_evosts_page_after_seconds", Kind: check.Gauge,
		Help: "Time after which a certificate that Exchange has not copied is critical (metadata.page_after)."}

	LastRefresh = &check.Metric{Name: "hmad_evosts_last_refresh_timestamp_seconds", Kind: check.Gauge,
		Help: "Unix time of the last good run of the refresh job: a completed run (event 2015 of MSExchange AuthAdmin) without an error of that run."}
	RefreshServer = &check.Metric{Name: "hmad_evosts_refresh_server_info", Kind: check.Gauge, Labels: []string{"server", "database"},
		Help: "1 for the Exchange server that runs the refresh job: the one with the mounted copy of the arbitration mailbox's database."}

	ReportTime = &check.Metric{Name: "hmad_onprem_report_timestamp_seconds", Kind: check.Gauge, Labels: []string{"host"},
		Help: "Unix time at which the host made the last on-premises report that hmad could read.",
		Quote: &check.Quote{Lead: "Oldest reports", Each: "{{ .Labels.host }} (" + check.QuotedMoment + ")", Reasons: []*check.Reason{reportLate},
			Labels: `host="EX01"`, Value: "1600000000", Text: "EX01 (2020-09-13 12:26 UTC)"}}
)

// samples returns the counts and times of every enabled auth server. What could
// not be seen is absent.
func samples(o observation) []check.Sample {
	out := []check.Sample{{Metric: WindowSeconds, Value: o.window.Seconds()}, {Metric: PageAfterSeconds, Value: o.pageAfter.Seconds()}}
	if o.heldErr != nil || o.publishedErr != nil {
		return out
	}
	for _, c := range o.comparisons() {
		name := check.Clean(c.server.Name, 200)
		for _, n := range []struct {
			set   string
			count int
		}{{"published", len(c.document.Certificates)}, {"stored", len(c.stored)}, {"missing", len(c.missing)}, {"extra", len(c.extra)}} {
			out = append(out, check.Sample{Metric: Certificates, Value: float64(n.count), Labels: []string{name, n.set}})
		}
		if len(c.missing) > 0 {
			out = append(out, check.Sample{Metric: MissingSince, Value: unix(c.since.At), Labels: []string{name}},
				check.Sample{Metric: Deadline, Value: unix(c.since.At.Add(o.window)), Labels: []string{name}})
		}
	}
	return out
}

func (e *evosts) credentialSamples() []check.Sample {
	if e.expires == nil {
		return nil
	}
	kind, notAfter, ok := e.expires()
	if !ok {
		return nil
	}
	return []check.Sample{{Metric: entra.CredentialNotAfter, Value: unix(notAfter), Labels: []string{kind}}}
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
