package audit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// certs makes the section of certificates: one row each.
func certs(rows ...string) edit {
	text := "["
	for i, r := range rows {
		if i > 0 {
			text += ","
		}
		text += r
	}
	return data(report.SectionCertificates, text+"]")
}

// cert is a row with its end, counted from now.
func cert(thumbprint string, left time.Duration, key bool) string {
	return fmt.Sprintf(`{"server":"EX01","thumbprint":%q,"notAfter":%q,"hasPrivateKey":%t}`, thumbprint, now.Add(left).Format(time.RFC3339), key)
}

// authConfig makes Get-AuthConfig with a next certificate that takes over in so long.
func authConfig(takesOver time.Duration) edit {
	return data(report.SectionAuthConfig, fmt.Sprintf(`[{"currentCertificateThumbprint":%q,"nextCertificateThumbprint":%q,"nextCertificateEffectiveDate":%q}]`,
		thumb, nextThumb, now.Add(takesOver).Format(time.RFC3339)))
}

const day24 = 24 * time.Hour

func TestAuthCertificateExpiring(t *testing.T) {
	run(t, "auth_certificate_expiring", []judged{
		{"years left", nil, isMet, "ends on 2029-02-04, in 805 days"},
		{"61 days left", []edit{certs(cert(thumb, 61*day24, true))}, isMet, "in 61 days"},
		{"exactly 60 days left", []edit{certs(cert(thumb, 60*day24, true))}, isUnmet, "no other takes over"},
		{"an end that cannot be read", []edit{data(report.SectionCertificates, fmt.Sprintf(`{"server":"EX01","thumbprint":%q,"notAfter":"04.02.2029","hasPrivateKey":true}`, thumb))},
			isOpen, "notAfter: want a date such as 2026-11-22T09:15:00Z, got one of the form 99.99.9999"},
		{"an end that one server alone shows", []edit{of("EX02", data(report.SectionCertificates, fmt.Sprintf(`{"server":"EX02","thumbprint":%q,"notAfter":"04.02.2029","hasPrivateKey":true}`, thumb)))},
			isMet, "ends on 2029-02-04"},
		{"a takeover that cannot be read", []edit{certs(cert(thumb, 10*day24, true), cert(nextThumb, 900*day24, true)),
			data(report.SectionAuthConfig, fmt.Sprintf(`{"currentCertificateThumbprint":%q,"nextCertificateThumbprint":%q,"nextCertificateEffectiveDate":"soon"}`, thumb, nextThumb))},
			isOpen, "nextCertificateEffectiveDate: want a date"},
		{"a takeover that cannot be read and is not needed", []edit{data(report.SectionAuthConfig, fmt.Sprintf(`{"currentCertificateThumbprint":%q,"nextCertificateEffectiveDate":"soon"}`, thumb))},
			isMet, "ends on 2029-02-04"},
		{"ended", []edit{certs(cert(thumb, -day24, true))}, isUnmet, "2026-11-21"},
		{"the next takes over in time", []edit{certs(cert(thumb, 10*day24, true), cert(nextThumb, 900*day24, true)), authConfig(5 * day24)}, isMet, "takes over on 2026-11-27"},
		{"the next takes over too late", []edit{certs(cert(thumb, 10*day24, true), cert(nextThumb, 900*day24, true)), authConfig(11 * day24)}, isUnmet, ""},
		{"the next ends soon itself", []edit{certs(cert(thumb, 10*day24, true), cert(nextThumb, 20*day24, true)), authConfig(5 * day24)}, isUnmet, ""},
		{"the next is on no server", []edit{certs(cert(thumb, 10*day24, true)), authConfig(5 * day24)}, isUnmet, ""},
		{"thumbprint in lower case with blanks", []edit{data(report.SectionAuthConfig, `{"currentCertificateThumbprint":"8a1c2b3d 4e5f6071 8293a4b5 c6d7e8f9 01234567"}`)}, isMet, ""},
		{"a date as PowerShell 5.1 writes it", []edit{data(report.SectionCertificates, fmt.Sprintf(`{"server":"EX01","thumbprint":%q,"notAfter":"/Date(%d)/","hasPrivateKey":true}`, thumb, now.Add(day24).UnixMilli()))}, isUnmet, "2026-11-23"},
		{"on no server", []edit{certs()}, isOpen, "see auth_certificate_missing"},
		{"one server's section failed", []edit{of("EX02", failed(report.SectionCertificates))}, isMet, ""},
		{"certificates failed", []edit{failed(report.SectionCertificates)}, isOpen, "access denied"},
		{"auth config failed", []edit{failed(report.SectionAuthConfig)}, isOpen, "access denied"},
	})
}

func TestAuthCertificateMissing(t *testing.T) {
	run(t, "auth_certificate_missing", []judged{
		{"on every server", nil, isMet, "EX01 has it, EX02 has it"},
		{"on one server not", []edit{of("EX02", certs())}, isUnmet, "EX02 lacks " + thumb},
		{"without its key", []edit{of("EX01", certs(cert(thumb, 900*day24, false)))}, isUnmet, "EX01 has " + thumb + " without its private key"},
		{"none is named", []edit{data(report.SectionAuthConfig, `[{"currentCertificateThumbprint":null}]`)}, isUnmet, "names no"},
		{"one server's section failed", []edit{of("EX02", failed(report.SectionCertificates))}, isOpen, "EX02"},
		{"auth config failed", []edit{failed(report.SectionAuthConfig)}, isOpen, "access denied"},
	})
}

func TestSamplesOfCertificate(t *testing.T) {
	assert.Equal(t, []check.Sample{
		{Metric: AuthCertificateNotAfter, Value: float64(now.Add(10 * day24).Unix()), Labels: []string{"current"}},
		{Metric: AuthCertificateNotAfter, Value: float64(now.Add(900 * day24).Unix()), Labels: []string{"next"}},
	}, samplesOfCertificate(estateOf(t, certs(cert(thumb, 10*day24, true), cert(nextThumb, 900*day24, true)), authConfig(5*day24))))
	assert.Empty(t, samplesOfCertificate(estateOf(t, failed(report.SectionCertificates))), "what is not known has no value")
}
