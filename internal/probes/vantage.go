package probes

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// MaxClockOffset is how far this host's clock may be from Microsoft's.
const MaxClockOffset = 60 * time.Second

// ClockOffset says how far Microsoft's clock is ahead of ours.
var ClockOffset = &check.Metric{Name: "hmad_clock_offset_seconds", Kind: check.Gauge,
	Help: "Seconds by which the clock of Microsoft's sign-in service is ahead of this host's, from the Date header (whole seconds) and half the round trip."}

// WayOutShared lets alerts tell whether a closed way out explains what was
// found at the target's endpoints.
var WayOutShared = &check.Metric{Name: "hmad_vantage_shared", Kind: check.Gauge,
	Help: "1 when what the target's checks ask lies behind the way out that the vantage check tries (an external vantage point, or a proxy), 0 when it does not."}

// Vantage is the check of hmad's own way out.
var Vantage = &check.Def{
	Name: "vantage",
	Doc: "Is hmad's own way out open, and is its clock right? It fetches the OpenID configuration of the tenant " +
		"from Microsoft's sign-in service. When that fails, and the endpoints lie behind the same way out (`vantage: external`, or a `proxy`), " +
		"what other checks see of them is not blamed on the customer. Inside, which is the default, they do not: a host without DNS shows them as failed.",
	Every:   "*/5 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{check.Phase, CertificateNotAfter, ClockOffset, WayOutShared},
	Reasons: vantageReasons,
	New:     newVantage,
}

// SharesWayOut says whether what the target's checks ask lies behind the way
// out that the vantage check tries: outside, or with a proxy, which all checks
// of a target share. Inside, Exchange does not lie behind it.
func SharesWayOut(t config.Target) bool { return t.Vantage == config.External || t.Proxy != "" }

func newVantage(t config.Target, env check.Env) (check.Parts, error) {
	o, err := newWayOut(t, env)
	if err != nil || o == nil {
		return check.Parts{}, err
	}
	o.shared = SharesWayOut(t)
	return check.Parts{Run: check.Reporting(o.run)}, nil
}

// wayOut asks for the tenant's OpenID configuration over the target's route.
type wayOut struct {
	route  *route
	url    *url.URL
	shared bool // by the target's other checks
}

// newWayOut gives nil where the config names no tenant or no place to ask.
func newWayOut(t config.Target, env check.Env) (*wayOut, error) {
	if t.Tenant == "" || t.Entra.OpenIDConfiguration == "" {
		return nil, nil
	}
	u, err := parseURL("entra.openid_configuration", strings.ReplaceAll(t.Entra.OpenIDConfiguration, "{tenant}", url.PathEscape(t.Tenant)))
	if err != nil {
		return nil, err
	}
	r, err := newRoute(t, env)
	if err != nil || r.roots == nil {
		return &wayOut{route: r, url: u}, err
	}
	// A private CA is the customer's; Microsoft's certificates are public.
	system, err := x509.SystemCertPool()
	if err == nil {
		r.roots, err = addRoots(system, t.CAFile, env)
	}
	return &wayOut{route: r, url: u}, err
}

func (o *wayOut) run(ctx context.Context) (check.Report, error) {
	seen, notes, err := o.ask(ctx)
	if err != nil {
		return check.Report{}, err
	}
	v, offset := judgeWayOut(o.url.Hostname(), seen)
	report := check.Report{Findings: v.findings, Unjudged: check.Unevaluated(v.unevaluated...), Samples: samples(seen.visits), Notes: check.Notes(notes...)}
	shared := check.Sample{Metric: WayOutShared}
	if o.shared {
		shared.Value = 1
	}
	report.Samples = append(report.Samples, shared)
	if offset != nil {
		report.Samples = append(report.Samples, check.Sample{Metric: ClockOffset, Value: offset.Seconds()})
	}
	return report, nil
}

// outward is what was seen of the way out.
type outward struct {
	visits []Visit
	closed string // why there was no visit at all
}

// ask looks once. The error is the context's when it was cancelled: all else
// that goes wrong is what the check is about.
func (o *wayOut) ask(ctx context.Context) (seen outward, notes []string, err error) {
	request := o.route.get(o.url, "Accept", "application/json")
	ws, faults, notes, err := o.route.ways(ctx, o.url)
	if err == nil && len(faults) == 0 {
		var more []string
		seen.visits, more, err = o.route.visitAll(ctx, ws, request)
		notes = append(notes, more...)
	}
	if err != nil || len(faults) > 0 {
		notes = append(notes, o.route.repeat(request)...)
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return outward{}, nil, ctx.Err()
	case err != nil:
		seen.closed = err.Error()
	case len(faults) > 0:
		seen.closed = faults[0].Detail
	}
	for _, v := range seen.visits {
		notes = append(notes, v.notes()...)
	}
	return seen, notes, nil
}

// judgeWayOut judges: one address that answers as Microsoft does makes the way
// open, and its clock is compared. The offset is nil where there is none.
func judgeWayOut(host string, seen outward) (verdict, *time.Duration) {
	closed := seen.closed
	for _, v := range seen.visits {
		why := whyClosed(v)
		if why == "" {
			return judgeClock(v.Answers[0])
		}
		if closed == "" {
			closed = why
		}
	}
	return verdict{
		findings:    []check.Finding{found(vantageOffline, "%s cannot be asked: %s", host, closed)},
		unevaluated: check.After(vantageReasons, vantageOffline),
	}, nil
}

// whyClosed says what is wrong with an answer; nothing when it is Microsoft's
// (OpenID Connect Discovery 1.0, section 4.2).
func whyClosed(v Visit) string {
	if v.Ended {
		return v.Faults[len(v.Faults)-1].Detail
	}
	a := v.Answers[0]
	if a.Status != http.StatusOK {
		return fmt.Sprintf("it answers with status %d", a.Status)
	}
	var body struct {
		Issuer   string `json:"issuer"`
		Endpoint string `json:"authorization_endpoint"`
	}
	if err := json.Unmarshal(a.Body, &body); err != nil || body.Issuer == "" || body.Endpoint == "" {
		return "what it answers is no OpenID configuration"
	}
	return ""
}

// judgeClock compares the answer's Date with our clock in the middle of the
// exchange. Date is cut to the second: half a second makes up for it.
func judgeClock(a *Answer) (verdict, *time.Duration) {
	date, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return verdict{unevaluated: []*check.Reason{clockSkew}}, nil
	}
	offset := date.Add(time.Second / 2).Sub(a.Received.Add(-a.Waited / 2))
	if offset.Abs() <= MaxClockOffset {
		return verdict{}, &offset
	}
	word := "behind"
	if offset < 0 {
		word = "ahead of"
	}
	return verdict{findings: []check.Finding{
		found(clockSkew, "this host's clock is %s %s Microsoft's", offset.Abs().Round(time.Second), word)}}, &offset
}
