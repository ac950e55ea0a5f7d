package online

import (
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/entra"
)

// The families of a Client, for the Defs of checks that use one.
var (
	// Requests counts what a Client sends.
	Requests = &check.Metric{Name: "hmad_exchange_online_requests_total", Kind: check.Counter, Labels: []string{"cmdlet", "code"},
		Help: "Requests to Exchange Online's admin API by cmdlet and HTTP status; code is error if there was no answer."}
	// RequestDuration times what a Client sends.
	RequestDuration = &check.Metric{Name: "hmad_exchange_online_request_duration_seconds", Kind: check.Histogram,
		Help:    "Duration of a request to Exchange Online's admin API, including the whole answer.",
		Buckets: []float64{.05, .1, .25, .5, .75, 1, 1.5, 2.5, 5, 10, 30, 90}}
)

// CredentialSamples returns the expiry of the credential with which this Client
// gets its tokens, for a Report; nothing where it has none that is known.
func (o *Client) CredentialSamples() []check.Sample {
	notAfter, ok := o.credential.NotAfter()
	if !ok {
		return nil
	}
	return []check.Sample{{Metric: entra.CredentialNotAfter, Value: float64(notAfter.Unix()), Labels: []string{o.credential.Kind()}}}
}
