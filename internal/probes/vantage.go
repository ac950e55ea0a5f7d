package probes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// MaxClockOffset is how far this host's clock may be from Microsoft's.
const MaxClockOffset = 60 * time.Second

// ClockOffset says how far Microsoft's clock is ahead of ours.
var ClockOffset = &check.Metric{Name: "hmad_clock_offset_seconds", Kind: check.Gauge,
	Help: "Seconds by which the clock of Microsoft's sign-in service is ahead of this host's, from the Date header (whole seconds) and half the round trip."}

// WayOutShared lets alerts tell whether a closed way out explains what was
// found at the target's endpoints.
var WayOutShared = &check.Metric{Name: "hmad_vantage_shared", Kind: check.Gauge,
	Help: "1 when hmad reaches the target's endpoints over the way out that the vantage check tests (an external vantage point, or a proxy), otherwise 0."}

// Vantage is the check of hmad's own way out.
var Vantage = &check.Def{
	Name: "vantage",
	Doc: "Is hmad's own way out (its connection to the Internet) open, and is its clock right? The check fetches the OpenID configuration of the " +
		"tenant from Microsoft's sign-in service. Whatever that service answers shows an open way out, also that it does not know the tenant " +
		"(AADSTS90002), is busy or out of order: a note says so. If it does not answer, or something else answers in its place, and hmad reaches " +
		"the endpoints over the same way out (`vantage: external`, or a `proxy`), failures of other checks are not blamed on the customer. With " +
		"`vantage: inside`, the default, hmad reaches the endpoints another way: a host without a network shows them as failed.",
	Every:   "*/5 * * * *",
	Timeout: 20 * time.Second,
	Metrics: []*check.Metric{check.Phase, CertificateNotAfter, ClockOffset, WayOutShared},
	Reasons: vantageReasons,
	Facts:   connectionFactKinds,
	Steps:   []int{3},
	Implies: []check.Implication{{Causes: []*check.Reason{vantageOffline}, Effects: []string{"autodiscover.undecided", "activesync.undecided",
		"tls_offload.undecided", "evosts_metadata.undecided", "configuration.undecided", "mailbox_sync.undecided", "allow_list.undecided",
		"cloud_autodiscover.undecided", "autodetect.undecided", "tenant.undecided", "token_acceptance.undecided"}}}, WayOut: &check.WayOut{Closed: vantageOffline, Ask: askWayOut},
	New: newVantage,
}

// sharesWayOut reports whether what the target's checks ask lies behind the way
// out that the vantage check tries: outside, or with a proxy, which all checks
// of a target share. Inside, Exchange does not lie behind it.
func sharesWayOut(t config.Target) bool { return t.Vantage == config.External || !t.Proxy.IsZero() }

// The reasons of the vantage check.
var (
	vantageOffline = &check.Reason{Name: "vantage_offline", Severity: check.Warning, Confirm: true,
		Runbook: vantageOfflineRunbook,
		Summary: "hmad's own way out, its connection to the Internet, is closed. The state of endpoints beyond it is not known. Phones are not affected.",
		Fix:     "Check this host's network, DNS and proxy, and that its firewall lets it reach the sign-in host that `hmad check vantage` names."}
	clockSkew = &check.Reason{Name: "clock_skew", Severity: check.Warning,
		Runbook: clockSkewRunbook,
		Summary: "This host's clock differs from Microsoft's, so hmad's times and its verdicts on certificates are not reliable. Phones are not affected.",
		Fix:     "Check time synchronisation on this host: `timedatectl`, `chronyc tracking`."}
)

// vantageReasons lists them in order of judgement.
var vantageReasons = []*check.Reason{vantageOffline, clockSkew}

func newVantage(t config.Target, env check.Env) (check.Parts, error) {
	o, err := newWayOut(t, env)
	if err != nil || o == nil {
		return check.Parts{}, err
	}
	o.shared = sharesWayOut(t)
	return check.Parts{Run: o.run}, nil
}

// wayOut asks for the tenant's OpenID configuration over the target's route.
type wayOut struct {
	route  *route
	url    *url.URL
	shared bool // by the target's other checks
}

// newWayOut returns nil where the config names no tenant or no place to ask.
func newWayOut(t config.Target, env check.Env) (*wayOut, error) {
	u := t.Entra.OpenIDConfiguration.Of(t.Tenant)
	if t.Tenant == "" || u == nil {
		return nil, nil
	}
	r, err := newRoute(t, env)
	if err != nil {
		return nil, err
	}
	r.roots = r.PublicRoots()
	return &wayOut{route: r, url: u}, nil
}

func (o *wayOut) run(ctx context.Context, v *check.Verdict) {
	shared := 0.0
	if o.shared {
		shared = 1
	}
	v.Sample(WayOutShared, shared)
	seen, err := o.ask(ctx, v)
	if err != nil {
		v.Undecided(err)
		return
	}
	record(v, seen.visits)
	judgeWayOut(v, o.url.Hostname(), seen)
}

// outward is what was seen of the way out.
type outward struct {
	visits []Visit
	closed string // why there was no visit at all
}

// ask looks once; v gets the notes. The error is the context's when it was
// cancelled: all else that goes wrong is what the check is about.
func (o *wayOut) ask(ctx context.Context, v *check.Verdict) (seen outward, err error) {
	request := o.route.get(o.url, "Accept", "application/json")
	ws, faults, notes, err := o.route.ways(ctx, o.url)
	if err == nil && len(faults) == 0 {
		var more []string
		seen.visits, more, err = o.route.visitAll(ctx, ws, request)
		notes = append(notes, more...)
	}
	noteAll(v, notes)
	if err != nil || len(faults) > 0 {
		o.route.repeat(v, request)
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return outward{}, ctx.Err()
	case check.ClassOf(err) == check.Local:
		return outward{}, err
	case err != nil:
		seen.closed = err.Error()
	case len(faults) > 0:
		seen.closed = faults[0].Detail
	}
	return seen, nil
}

// open returns the first answer that is Microsoft's, or why there is none: one
// address that answers as Microsoft does makes the way open.
func (seen outward) open() (answer *Answer, closed string) {
	closed = seen.closed
	for _, v := range seen.visits {
		why := whyClosed(v)
		if why == "" {
			return v.Answers[0], ""
		}
		if closed == "" {
			closed = why
		}
	}
	return nil, cmp.Or(closed, "no address was asked")
}

// judgeWayOut judges whether the way out is open, and compares the clocks. An
// answer of the host's own that is none to the question is a note.
func judgeWayOut(v *check.Verdict, host string, seen outward) {
	answer, closed := seen.open()
	if closed != "" {
		v.Stop(vantageOffline, []string{host}, "%s cannot be asked: %s", host, closed)
		return
	}
	v.Clear(vantageOffline)
	if text := odd(answer); text != "" {
		v.Note("the way out is open, but %s %s", host, text)
	}
	if c, ok := config.CloudOf(host); ok {
		v.Note("%s is the sign-in host of %s", host, c)
	}
	judgeClock(v, answer)
}

// whyClosed returns why an answer is not the sign-in host's own, so that the way
// to it counts as closed; empty where it is. The connection's certificate has been
// verified by then. An OpenID configuration (OpenID Connect Discovery 1.0, section
// 4.2), an OAuth error, and the refusals of a host that is busy, out of order or
// without such a document are its own. A page for people, a redirect and a
// refusal without an OAuth error are a portal's, a proxy's or a filter's.
func whyClosed(v Visit) string {
	if v.Ended {
		return v.Faults[len(v.Faults)-1].Detail
	}
	a := v.Answers[0]
	_, refused := transport.ReadSignInError(a.Body)
	switch {
	case a.Status == http.StatusOK && isOpenID(a.Body), refused:
		return ""
	case a.Status == http.StatusOK && isPage(a):
		return "it answers with " + transport.NotTheHosts
	case a.Status == http.StatusOK:
		return "what it answers is not an OpenID configuration"
	case a.Status == http.StatusNotFound, a.Status == http.StatusTooManyRequests, a.Status/100 == 5 && a.Status != http.StatusNetworkAuthenticationRequired:
		return ""
	}
	return fmt.Sprintf("it answers with status %d", a.Status)
}

// isOpenID reports whether a body is an OpenID configuration.
func isOpenID(data []byte) bool {
	var body struct {
		Issuer   string `json:"issuer"`
		Endpoint string `json:"authorization_endpoint"`
	}
	return json.Unmarshal(data, &body) == nil && body.Issuer != "" && body.Endpoint != ""
}

// odd returns what is notable of the sign-in host's own answer; empty for an
// OpenID configuration.
func odd(a *Answer) string {
	refused, ok := transport.ReadSignInError(a.Body)
	switch {
	case ok && refused.UnknownTenant() != "":
		return fmt.Sprintf("answers with status %d: %s", a.Status, refused.UnknownTenant())
	case ok:
		return fmt.Sprintf("answers with status %d: %s", a.Status, refused.Text)
	case a.Status != http.StatusOK:
		return fmt.Sprintf("answers with status %d in place of the tenant's OpenID configuration", a.Status)
	}
	return ""
}

// judgeClock compares the answer's Date with our clock in the middle of the
// exchange. Date is cut to the second: half a second makes up for it.
func judgeClock(v *check.Verdict, a *Answer) {
	if age := a.Header.Get("Age"); age != "" && age != "0" {
		v.Open("the answer comes from a cache (Age), so its Date is not of now", clockSkew)
		return
	}
	date, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		v.Open("the answer has no Date that can be read", clockSkew)
		return
	}
	offset := date.Add(time.Second / 2).Sub(a.Received.Add(-a.Waited / 2))
	v.Sample(ClockOffset, offset.Seconds())
	v.Clear(clockSkew)
	if offset.Abs() <= MaxClockOffset {
		return
	}
	word := "behind"
	if offset < 0 {
		word = "ahead of"
	}
	v.Find(clockSkew, nil, "this host's clock is %s %s Microsoft's", check.Span(offset.Abs()), word)
}
