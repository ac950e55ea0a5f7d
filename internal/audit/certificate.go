package audit

import (
	"cmp"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// RenewBefore is how long before its end the auth certificate must be
// renewed: Exchange's own script renews it from then on.
const RenewBefore = 60 * 24 * time.Hour

// AuthCertificateNotAfter dates the certificates of Get-AuthConfig.
var AuthCertificateNotAfter = &check.Metric{Name: "hmad_auth_certificate_not_after_timestamp_seconds", Kind: check.Gauge, Labels: []string{"certificate"},
	Help: "Unix time at which the certificate expires with which Exchange signs its own tokens; the label certificate is current or next, the " +
		"names in Get-AuthConfig."}

// authCertificates are those that Get-AuthConfig names, as servers show them.
type authCertificates struct {
	config        report.AuthConfig
	current, next *report.ExchangeCertificate // nil where no server shows it
}

func readCertificates(e estate) (authCertificates, error) {
	c, err := report.Newest(e.Evidence, report.Report.AuthConfig)
	if err != nil {
		return authCertificates{}, err
	}
	hosts, err := each(e, report.Report.ExchangeCertificates)
	if len(hosts) == 0 && err != nil {
		return authCertificates{}, err
	}
	all := authCertificates{config: c}
	for _, h := range hosts {
		for _, cert := range h.value {
			switch cert.Thumbprint {
			case "":
			case c.CurrentThumbprint:
				all.current = dated(all.current, &cert)
			case c.NextThumbprint:
				all.next = dated(all.next, &cert)
			}
		}
	}
	return all, nil
}

// dated returns of a certificate as two servers show it the one whose end can be
// read.
func dated(a, b *report.ExchangeCertificate) *report.ExchangeCertificate {
	if a == nil || a.Lacks("notAfter") != nil {
		return b
	}
	return a
}

// judgeCertificatePresent: every server must have the certificate and its key,
// or it signs nothing (event 2004 of MSExchange OAuth).
func judgeCertificatePresent(e estate) answer {
	c, err := report.Newest(e.Evidence, report.Report.AuthConfig)
	switch {
	case err != nil:
		return open(err)
	case c.CurrentThumbprint == "":
		return unmet(nil, "Get-AuthConfig names no CurrentCertificateThumbprint")
	}
	return onEveryHost(e, report.Report.ExchangeCertificates, func(all []report.ExchangeCertificate) (string, bool) {
		for _, cert := range all {
			switch {
			case cert.Thumbprint != c.CurrentThumbprint:
			case cert.HasPrivateKey:
				return "has it", true
			default:
				return "has " + cert.Thumbprint + " without its private key", false
			}
		}
		return "lacks " + c.CurrentThumbprint, false
	})
}

// judgeCertificateEnd: the current certificate must last, or the next must
// take over before it ends and last itself.
func judgeCertificateEnd(e estate) answer {
	all, err := readCertificates(e)
	switch {
	case err != nil:
		return open(err)
	case all.current == nil:
		return moot("no server shows the current auth certificate, see %s", authCertificateMissing.Name)
	case all.current.Lacks("notAfter") != nil:
		return open(all.current.Lacks("notAfter"))
	}
	seen := "the current one ends on " + check.Day(all.current.NotAfter)
	if lasts(all.current, e.now) {
		return met("%s, in %d days", seen, days(all.current.NotAfter.Sub(e.now)))
	}
	if takesOver := all.config.NextEffective; lasts(all.next, e.now) && !takesOver.IsZero() && takesOver.Before(all.current.NotAfter) {
		return met("%s; the next, which ends on %s, takes over on %s", seen, check.Day(all.next.NotAfter), check.Day(takesOver))
	}
	if err := all.unreadTakeover(); err != nil {
		return open(err)
	}
	return unmet([]string{all.config.CurrentThumbprint}, "%s, and no other takes over", seen)
}

// unreadTakeover returns why it cannot be read whether the next certificate takes
// over; nil where it can.
func (a authCertificates) unreadTakeover() error {
	if a.next == nil {
		return nil
	}
	return cmp.Or(a.next.Lacks("notAfter"), a.config.Lacks("nextCertificateEffectiveDate"))
}

func lasts(cert *report.ExchangeCertificate, now time.Time) bool {
	return cert != nil && cert.NotAfter.Sub(now) > RenewBefore
}

// samplesOfCertificate returns the ends that are known.
func samplesOfCertificate(e estate) []check.Sample {
	all, err := readCertificates(e)
	if err != nil {
		return nil
	}
	var out []check.Sample
	add := func(name string, cert *report.ExchangeCertificate) {
		if cert != nil && cert.Lacks("notAfter") == nil {
			out = append(out, check.Sample{Metric: AuthCertificateNotAfter, Value: float64(cert.NotAfter.Unix()), Labels: []string{name}})
		}
	}
	add("current", all.current)
	add("next", all.next)
	return out
}
