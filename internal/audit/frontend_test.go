package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/report"
)

func TestRequestLengthTooSmall(t *testing.T) {
	sizes := func(send, receive string) edit {
		return data(report.SectionTransport, fmt.Sprintf(`[{"maxSendSize":%q,"maxReceiveSize":%q}]`, send, receive))
	}
	length := func(kb int) edit { return data(report.SectionWebConfig, fmt.Sprintf(`[{"maxRequestLength":%d}]`, kb)) }
	run(t, "request_length_too_small", []judged{
		{"exactly as large", nil, isMet, "EX01 36864 KB, EX02 36864 KB, where MaxReceiveSize is 36864 KB"},
		{"one KB short", []edit{length(36863)}, isUnmet, "36863 KB"},
		{"Exchange's default", []edit{length(10240)}, isUnmet, "EX01 10240 KB, EX02 10240 KB, where MaxReceiveSize is 36864 KB"},
		{"one server short", []edit{of("EX02", length(10240))}, isUnmet, "EX02 10240 KB, where"},
		{"sending may be larger", []edit{sizes("50 MB (52,428,800 bytes)", "10 MB (10,485,760 bytes)")}, isUnmet, "MaxSendSize is 51200 KB"},
		{"receiving may be larger", []edit{sizes("10 MB (10,485,760 bytes)", "50 MB (52,428,800 bytes)")}, isUnmet, "MaxReceiveSize is 51200 KB"},
		{"a size that is no whole KB", []edit{sizes("36 MB (37,748,737 bytes)", "1 KB (1,024 bytes)")}, isUnmet, "MaxSendSize is 36865 KB"},
		{"Unlimited sending", []edit{sizes("Unlimited", "36 MB (37,748,736 bytes)")}, isUnmet, "MaxSendSize is Unlimited"},
		{"Unlimited receiving, in other case", []edit{sizes("36 MB (37,748,736 bytes)", "UNLIMITED")}, isUnmet, "MaxReceiveSize is Unlimited"},
		{"Unlimited, and web.config's largest", []edit{sizes("Unlimited", "Unlimited"), length(2147483647)}, isMet, "Unlimited"},
		{"digits as other cultures group them", []edit{sizes("36 MB (37.748.736 bytes)", "36 MB (37 748 736 bytes)")}, isMet, ""},
		{"a plain number of bytes", []edit{data(report.SectionTransport, `{"maxSendSize":"1024","maxReceiveSize":1048576}`)}, isMet, "MaxReceiveSize is 1024 KB"},
		{"digits as in de-CH, and with a narrow space", []edit{sizes("36 MB (37\u2019748\u2019736 bytes)", "36 MB (37\u202f748\u202f736 bytes)")}, isMet, ""},
		{"one server's newest size unreadable, another's not", []edit{of("EX01", sizes("much", "more"))}, isMet, ""},
		{"no length on one server", []edit{of("EX02", data(report.SectionWebConfig, `{"maxRequestLength":"large"}`))}, isOpen, "EX02: section webConfig: row 0: maxRequestLength"},
		{"no length on one server, short on the other", []edit{of("EX02", data(report.SectionWebConfig, `{"maxRequestLength":"large"}`)), of("EX01", length(1))}, isUnmet, "EX01 1 KB"},
		{"no size", []edit{sizes("much", "more")}, isOpen, "size"},
		{"transport failed", []edit{failed(report.SectionTransport)}, isOpen, "access denied"},
		{"web.config failed on one server", []edit{of("EX02", failed(report.SectionWebConfig))}, isOpen, "EX02"},
		{"web.config failed on one server, short on the other", []edit{of("EX02", failed(report.SectionWebConfig)), of("EX01", length(1))}, isUnmet, "EX01 1 KB"},
		{"one server's report is too old", []edit{of("EX02", made("2026-11-22T08:00:00Z"))}, isOpen, "EX02: its report of 2026-11-22 08:00 UTC"},
	})
}

func TestTLSOffloadingConfigured(t *testing.T) {
	flags := func(text string) edit {
		return data(report.SectionIIS, fmt.Sprintf(`[{"location":"x","sslFlags":%s}]`, text))
	}
	run(t, "tls_offloading_configured", []judged{
		{"TLS required", nil, isMet, "EX01 sslFlags Ssl+Ssl128"},
		{"a text instead of a list", []edit{flags(`"Ssl, Ssl128"`)}, isMet, ""},
		{"in other case", []edit{flags(`["SSL"]`)}, isMet, ""},
		{"plain HTTP let in", []edit{flags(`["None"]`)}, isUnmet, "EX01 sslFlags None, EX02 sslFlags None"},
		{"strong keys asked for, TLS not required", []edit{of("EX02", flags(`"Ssl128"`))}, isUnmet, "EX02 sslFlags Ssl128"},
		{"no flags", []edit{flags(`[]`)}, isOpen, "sslFlags"},
		{"failed on one server", []edit{of("EX01", failed(report.SectionIIS))}, isOpen, "EX01"},
		{"absent", []edit{absent(report.SectionIIS)}, isOpen, "missing"},
	})
}

func TestClientCertificateRequired(t *testing.T) {
	flags := func(text string) edit {
		return data(report.SectionIIS, fmt.Sprintf(`{"location":"x","sslFlags":%s}`, text))
	}
	recorded, err := os.ReadFile("../report/testdata/12b-iis-sslrequirecert.json")
	require.NoError(t, err)
	var case12b struct {
		IIS struct{ Data json.RawMessage }
	}
	require.NoError(t, json.Unmarshal(recorded, &case12b))
	run(t, "client_certificate_required", []judged{
		{"as a report had it", []edit{data(report.SectionIIS, string(case12b.IIS.Data))}, isUnmet, "Ssl+SslNegotiateCert+SslRequireCert"},
		{"none asked for", nil, isMet, "EX01 sslFlags Ssl+Ssl128"},
		{"required, as IIS writes it", []edit{flags(`"Ssl, SslNegotiateCert, SslRequireCert"`)}, isUnmet, "EX01 sslFlags Ssl+SslNegotiateCert+SslRequireCert require a client certificate"},
		{"required, in other case", []edit{flags(`["ssl","sslrequirecert"]`)}, isUnmet, "require a client certificate"},
		{"required on one server", []edit{of("EX02", flags(`"Ssl,SslRequireCert"`))}, isUnmet, "EX02 sslFlags"},
		{"asked for, and may be missing", []edit{flags(`"Ssl, SslNegotiateCert"`)}, isMet, "ask for a client certificate, and take its absence"},
		{"certificates mapped", []edit{flags(`"Ssl, SslNegotiateCert, SslMapCert"`)}, isMet, "take its absence"},
		{"no flags", []edit{flags(`[]`)}, isOpen, "sslFlags"},
		{"failed on one server", []edit{of("EX01", failed(report.SectionIIS))}, isOpen, "EX01"},
		{"absent", []edit{absent(report.SectionIIS)}, isOpen, "missing"},
	})
}
