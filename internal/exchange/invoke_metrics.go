package exchange

import "github.com/hmad/hmad/internal/check"

// The families of the way to Exchange Online, for the Defs of checks that use
// it.
var (
	// Requests counts what an Online sends.
	Requests = &check.Metric{Name: "hmad_exchange_online_requests_total", Kind: check.Counter, Labels: []string{"cmdlet", "code"},
		Help: "Requests to Exchange Online's admin API by cmdlet and HTTP status; code is error where no answer came."}
	// RequestDuration times what an Online sends.
	RequestDuration = &check.Metric{Name: "hmad_exchange_online_request_duration_seconds", Kind: check.Histogram,
		Help:    "Time that a request to Exchange Online's admin API took, the whole answer included.",
		Buckets: []float64{.05, .1, .25, .5, .75, 1, 1.5, 2.5, 5, 10, 30, 90}}
	// CredentialNotAfter is what CredentialSamples and ListenerSamples fill.
	CredentialNotAfter = &check.Metric{Name: "hmad_credential_not_after_timestamp_seconds", Kind: check.Gauge, Labels: []string{"credential"},
		Help: "Unix time at which hmad's own credential expires, by kind of credential (report_listener: the certificate by which Exchange servers that push reports know hmad); absent where that cannot be known."}
)

// CredentialSamples gives the expiry of the credential with which this Online
// gets its tokens, for a Report; nothing where it has none that is known.
func (o *Online) CredentialSamples() []check.Sample {
	notAfter, ok := o.credential.NotAfter()
	if !ok {
		return nil
	}
	return []check.Sample{{Metric: CredentialNotAfter, Value: float64(notAfter.Unix()), Labels: []string{o.credential.Kind()}}}
}
