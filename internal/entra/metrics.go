package entra

import "github.com/hmad/hmad/internal/check"

// CredentialNotAfter is the family of the end of hmad's own credentials, also of
// the certificate that a report/intake.Server shows.
var CredentialNotAfter = &check.Metric{Name: "hmad_credential_not_after_timestamp_seconds", Kind: check.Gauge, Labels: []string{"credential"},
	Help: "Unix time at which hmad's own credential expires, by kind of credential (report_listener: the certificate that hmad presents to " +
		"Exchange servers that push reports); absent if it is not known."}
