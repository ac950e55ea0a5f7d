package exporter

import (
	"context"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the moment at which the fixtures are looked at.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A small vocabulary, shaped like that of the real checks.
var (
	bearerMissing = &check.Reason{Name: "bearer_missing", Severity: check.Critical,
		Summary: "Exchange answers without offering Bearer: Outlook mobile cannot sign in with modern authentication and asks for a password, or stops.",
		Fix:     "On an Exchange server: `Get-OrganizationConfig | Format-List OAuth2ClientProfileEnabled`; if it is False, `Set-OrganizationConfig -OAuth2ClientProfileEnabled $true`."}
	chainIncomplete = &check.Reason{Name: "certificate_chain_incomplete", Severity: check.Warning,
		Summary: "The server does not send its intermediate certificate. Phones that do not fetch it themselves refuse the connection.",
		Fix:     "Install the intermediate certificate on the load balancer and check with `openssl s_client -connect mail.contoso.com:443 -showcerts`."}
	expiring = &check.Reason{Name: "certificate_expiring", Severity: check.Warning,
		Summary: "The certificate ends soon; after that no phone connects.", Fix: "Renew the certificate and bind it to the front end."}
	dnsFailed = &check.Reason{Name: "dns_failed", Severity: check.Critical, Confirm: true,
		Summary: "The name does not resolve: phones do not find the server.", Fix: "Look the name up: `dig autodiscover.contoso.com`."}
	offline = &check.Reason{Name: "vantage_offline", Severity: check.Warning, Summary: "hmad's own way out is closed.", Fix: "Look at the proxy and the firewall of this host.",
		Runbook: &check.Runbook{Causes: []string{"The proxy is down.", "A rule was changed in `nft`."}, Verify: "Run `curl -v '<address>'`.",
			Owners: []check.Owner{check.OwnerHost, check.OwnerNetwork}, Mended: "The address answers.", Source: "How hmad works."}}

	notAfter = &check.Metric{Name: "hmad_tls_certificate_not_after_timestamp_seconds", Kind: check.Gauge, Labels: []string{"host", "address"},
		Help: "Unix time at which the certificate that the host presented ends."}
	offered = &check.Metric{Name: "hmad_challenge_scheme_offered", Kind: check.Gauge, Labels: []string{"scheme"},
		Help: "1 when the answer offered this authentication scheme."}
	requests = &check.Metric{Name: "hmad_exchange_online_requests_total", Kind: check.Counter, Labels: []string{"code"},
		Help: "Requests to Exchange Online by status code."}
)

var (
	vantageDef = &check.Def{Name: "vantage", Doc: "Is this host's own way out open? Asked of Microsoft's OpenID configuration.",
		Reasons: []*check.Reason{offline}, Metrics: []*check.Metric{check.Phase}}
	autodiscoverDef = &check.Def{Name: "autodiscover", Doc: "The first question of a phone: where is this mailbox's ActiveSync?",
		Reasons: []*check.Reason{dnsFailed, expiring}, Metrics: []*check.Metric{check.Phase, notAfter}}
	activesyncDef = &check.Def{Name: "activesync", Doc: "Sends an empty bearer token to the ActiveSync URL and reads the challenge, as Outlook's cloud does before it asks for a sign-in.",
		Reasons: []*check.Reason{dnsFailed, chainIncomplete, expiring, bearerMissing}, Metrics: []*check.Metric{check.Phase, notAfter, offered, requests}}
	testDefs = []*check.Def{vantageDef, autodiscoverDef, activesyncDef}
)

// snapshot is a Source that stands still.
type snapshot struct {
	statuses []state.Status
	health   state.Health
}

func (s snapshot) Statuses() []state.Status { return s.statuses }
func (s snapshot) Health() state.Health     { return s.health }
func (s snapshot) Tables() []*state.Table   { return nil }

var healthy = state.Health{Path: "/var/lib/hmad/state.db", OK: true, LastWrite: noon.Add(-4 * time.Second)}

// told returns the status of a check that has had these runs, oldest first.
func told(id check.ID, results ...check.Result) state.Status {
	store := state.Open("", state.Options{Now: func() time.Time { return noon }})
	for _, r := range results {
		r.Check, r.Target = id.Check, id.Target
		store.Record(r)
	}
	store.Planned(id, noon.Add(3*time.Minute), 5*time.Minute)
	return store.Statuses()[0]
}

func passedAt(start time.Time) check.Result {
	return check.Result{Start: start, Took: 84 * time.Millisecond}
}

func foundAt(start time.Time, findings ...check.Finding) check.Result {
	return check.Result{Start: start, Took: 120 * time.Millisecond, Report: check.Report{Findings: findings}}
}

func phaseSamples(host, address string, ms ...float64) []check.Sample {
	var out []check.Sample
	for i, name := range []string{"dns", "connect", "tls", "processing", "transfer"} {
		out = append(out, check.Sample{Metric: check.Phase, Value: ms[i] / 1000, Labels: []string{name, host, address}})
	}
	return out
}

// estate is a fixture with every kind of card.
func estate() []state.Status {
	var vantage, auto, active []check.Result
	for i := 20; i > 0; i-- {
		at := noon.Add(-time.Duration(i)*5*time.Minute + 2*time.Minute)
		v := passedAt(at)
		v.Report.Samples = phaseSamples("login.microsoftonline.com", "", 2.1, 11.4, 24.8, 38.2, 1.1)
		v.Report.Notes = []check.Note{{Kind: check.Repeat, Text: "curl -sv https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"}}
		vantage = append(vantage, v)
		a := foundAt(at, check.Finding{Reason: expiring, Detail: "ends 2026-12-04 09:00 UTC, in 12 days; CN=autodiscover.contoso.com", Accepted: true})
		a.Report.Samples = append(phaseSamples("autodiscover.contoso.com", "", .8, 1.2, 6.4, 9.8, .2),
			check.Sample{Metric: notAfter, Value: float64(noon.Add(12 * 24 * time.Hour).Unix()), Labels: []string{"autodiscover.contoso.com", ""}})
		auto = append(auto, a)
		s := passedAt(at)
		if i < 6 {
			s = foundAt(at, check.Finding{Reason: chainIncomplete, Detail: "CN=Contoso Issuing CA 2 is missing"},
				check.Finding{Reason: bearerMissing, Detail: "401 from 192.0.2.10 offers Basic and Negotiate, no Bearer"})
			s.Report.Samples = append(append(phaseSamples("mail.contoso.com", "192.0.2.10:443", .7, 1.4, 7.7, 31.9, .3),
				phaseSamples("mail.contoso.com", "192.0.2.11:443", .7, 1.1, 8.1, 14.2, .2)...),
				check.Sample{Metric: notAfter, Value: float64(noon.Add(200 * 24 * time.Hour).Unix()), Labels: []string{"mail.contoso.com", "192.0.2.10:443"}},
				check.Sample{Metric: offered, Value: 1, Labels: []string{"basic"}}, check.Sample{Metric: offered, Value: 0, Labels: []string{"bearer"}})
			s.Report.Notes = append([]check.Note{{Kind: check.Repeat, Text: "curl -sv --http1.1 -H 'Authorization: Bearer' --connect-to mail.contoso.com:443:192.0.2.10:443 https://mail.contoso.com/Microsoft-Server-ActiveSync"}},
				checktest.Seen("TLS 1.3, CN=mail.contoso.com, ends 2027-06-10", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nServer: Microsoft-IIS/10.0\r\nrequest-id: 5a4d9e6c-4b06-4a3e-9c3e-0c7e2f9f5a11\r\nWWW-Authenticate: Basic realm=\"mail.contoso.com\"\r\nWWW-Authenticate: Negotiate\r\nX-FEServer: EX01\r\n")...)
		}
		active = append(active, s)
	}
	cut := check.Result{Start: noon.Add(-2 * time.Minute), Took: 10 * time.Second,
		Err: check.Errorf(check.VantageOffline, "login.microsoftonline.com: connect: no route to host")}
	return []state.Status{
		told(check.ID{Check: "vantage", Target: "contoso"}, vantage...),
		told(check.ID{Check: "autodiscover", Target: "contoso"}, auto...),
		told(check.ID{Check: "activesync", Target: "contoso"}, append([]check.Result{
			foundAt(noon.Add(-50*time.Hour), check.Finding{Reason: dnsFailed, Detail: "NXDOMAIN"}), foundAt(noon.Add(-49*time.Hour), check.Finding{Reason: dnsFailed, Detail: "NXDOMAIN"})}, active...)...),
		told(check.ID{Check: "activesync", Target: "fabrikam"}, foundAt(noon.Add(-7*time.Minute), check.Finding{Reason: bearerMissing, Detail: "only Basic is offered"}), cut),
		{ID: check.ID{Check: "autodiscover", Target: "fabrikam"}, Next: noon.Add(8 * time.Second), MaxGap: 5 * time.Minute},
	}
}

func estateOptions() Options {
	return Options{
		Store: snapshot{estate(), healthy}, Meter: NewMeter(nil), Defs: testDefs, ExternalURL: "https://hmad.contoso.com", Version: "1.0.0", MayPost: func(*http.Request) bool { return true },
		Now:     func() time.Time { return noon },
		Runbook: func(check, reason string) string { return "https://docs.example.test/checks.md#" + check + reason },
		Run: func(_ context.Context, id check.ID) (check.Result, error) {
			return check.Result{Check: id.Check, Target: id.Target, Start: noon}, nil
		},
		Checks: func() []*check.Check {
			return []*check.Check{
				{Def: activesyncDef, Target: "contoso", Schedule: "*/5 * * * *"},
				{Def: autodiscoverDef, Target: "contoso", Schedule: "*/5 * * * *",
					Accept: []config.Waiver{{Reason: "certificate_expiring", Until: config.Date{Time: noon.AddDate(0, 0, 12)}, Note: "the renewal is ordered"}}},
			}
		},
	}
}
