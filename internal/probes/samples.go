package probes

import (
	"net/netip"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// CertificateNotAfter is the end of the certificate that each host presented.
var CertificateNotAfter = &check.Metric{Name: "hmad_tls_certificate_not_after_timestamp_seconds", Kind: check.Gauge,
	Labels: []string{"host", "address"},
	Help: "Unix time at which the certificate that the host presented expires, whether or not it could be verified; address is empty unless " +
		"several addresses were asked.",
	Quote: &check.Quote{Lead: "Certificates seen, by their end",
		Each:    "{{ .Labels.host }}{{ with .Labels.address }} at {{ . }}{{ end }} (" + check.QuotedMoment + ")",
		Reasons: []*check.Reason{certificateExpired, certificateExpiringSoon, certificateExpiring},
		Labels:  `host="mail.contoso.com",address="192.0.2.10:443"`, Value: "1600000000",
		Text: "mail.contoso.com at 192.0.2.10:443 (2020-09-13 12:26 UTC)"}}

// samples returns the phases and certificate facts of a run's visits. A host
// that was visited more than once at one address counts with its first visit.
func samples(visits []Visit) []check.Sample {
	type place struct {
		host    string
		address netip.AddrPort
	}
	places := make(map[place]bool)
	count := make(map[string]int)
	for _, v := range visits {
		if p := (place{v.Host, v.Address}); !places[p] {
			places[p] = true
			count[v.Host]++
		}
	}
	var out []check.Sample
	for _, v := range visits {
		p := place{v.Host, v.Address}
		if !places[p] {
			continue
		}
		places[p] = false
		address := ""
		if count[v.Host] > 1 {
			address = v.Address.String()
		}
		out = append(out, v.samples(address)...)
	}
	return out
}

// samples returns the visit's phases and certificate. It leaves out what did
// not happen: a failed step has no old or zero value.
func (v Visit) samples(address string) []check.Sample {
	var out []check.Sample
	phase := func(name string, d time.Duration) {
		if d > 0 {
			out = append(out, check.Sample{Metric: check.Phase, Value: d.Seconds(), Labels: []string{name, v.Host, address}})
		}
	}
	phase("dns", v.Phases.DNS)
	phase("connect", v.Phases.Connect)
	phase("tls", v.Phases.TLS)
	phase("processing", v.Phases.Processing)
	phase("transfer", v.Phases.Transfer)
	if len(v.Chain) > 0 {
		out = append(out, check.Sample{Metric: CertificateNotAfter, Labels: []string{v.Host, address},
			Value: float64(v.Chain[0].NotAfter.Unix())})
	}
	return out
}
