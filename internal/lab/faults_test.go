package lab

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
)

// TestFaults switches every fault on and looks at the wire: the host shows
// what the fault says, the other hosts are as ever, and all is well again when
// it is off.
func TestFaults(t *testing.T) {
	l := start(t)
	shows := wire(t, l)
	for _, f := range l.faults {
		check := l.checkOf(f.name)
		if check != f.where {
			continue // of the reports, or of Entra's other documents
		}
		t.Run(f.name, func(t *testing.T) {
			assertion, ok := shows[f.name]
			if !ok {
				assertion, ok = shows[strings.Replace(f.name, check, "*", 1)]
			}
			require.True(t, ok, "internal/lab/faults_test.go: wire has no row that says what %s shows", f.name)
			limit := checktest.Patience
			if strings.HasSuffix(f.name, ".timeout") {
				limit = 200 * time.Millisecond
			}
			require.NoError(t, l.Set(f.name, true))
			assertion(t, ask(t, l, request(t, l, check), limit))
			for _, other := range hosts {
				if other != check {
					checkHealthy(t, l, other)
				}
			}
			require.NoError(t, l.Set(f.name, false))
			checkHealthy(t, l, check)
		})
	}
}

// checkOf returns the check of CHECK.REASON or VARIANT.CHECK.
func (l *Lab) checkOf(fault string) string {
	first, second, _ := strings.Cut(fault, ".")
	if slices.Contains(l.facts.Checks, first) {
		return first
	}
	return second
}

type showing func(*testing.T, seen)

// wire says what each fault shows; "*" stands for any check.
func wire(t *testing.T, l *Lab) map[string]showing {
	answer := func(status int, wants ...string) showing {
		return func(t *testing.T, s seen) {
			require.NoError(t, s.err)
			assert.NoError(t, s.trust)
			assert.Equal(t, status, s.status)
			text := s.text()
			for _, w := range wants {
				if absent, no := strings.CutPrefix(w, "!"); no {
					assert.NotContains(t, text, absent)
				} else {
					assert.Contains(t, text, w)
				}
			}
		}
	}
	ends := func(days int) showing {
		return func(t *testing.T, s seen) {
			assert.WithinDuration(t, time.Now().Add(time.Duration(days)*day), s.chain[0].NotAfter, time.Hour)
			var invalid x509.CertificateInvalidError
			assert.Equal(t, days < 0, errors.As(s.trust, &invalid) && invalid.Reason == x509.Expired)
		}
	}
	refused := func(t *testing.T, s seen) { assert.ErrorIs(t, s.connect, syscall.ECONNREFUSED) }
	const device = "!X-Feserver"
	const bearer = `Www-Authenticate: Bearer client_id="00000002-0000-0ff1-ce00-000000000000", ` +
		`trusted_issuers="00000001-0000-0000-c000-000000000000@` + tenant + `"`
	const types = `, token_types="app_asserted_user_v1 service_asserted_app_v1"`
	const uri = `, authorization_uri="https://login.windows.net/common/oauth2/authorize"`
	return map[string]showing{
		"vantage.vantage_offline": refused,
		"vantage.clock_skew": func(t *testing.T, s seen) {
			date, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", s.header.Get("Date"))
			require.NoError(t, err)
			assert.WithinDuration(t, time.Now().Add(10*time.Minute), date, checktest.Patience)
		},

		"*.dns_failed": func(t *testing.T, s seen) {
			var e *net.DNSError
			require.ErrorAs(t, s.lookup, &e)
			assert.True(t, e.IsNotFound)
		},
		"*.connect_failed": refused,
		"*.tls_failed": func(t *testing.T, s seen) {
			assert.NoError(t, s.connect)
			assert.Empty(t, s.chain)
			assert.ErrorIs(t, s.err, io.EOF)
		},
		"*.certificate_untrusted": func(t *testing.T, s seen) {
			assert.ErrorAs(t, s.trust, new(x509.UnknownAuthorityError))
			assert.Equal(t, s.chain[0].RawIssuer, s.chain[0].RawSubject)
		},
		"*.certificate_chain_incomplete": func(t *testing.T, s seen) {
			assert.ErrorAs(t, s.trust, new(x509.UnknownAuthorityError))
			require.Len(t, s.chain, 1)
			assert.NotEmpty(t, s.chain[0].IssuingCertificateURL)
			assert.NotZero(t, s.status, "the host answers all the same")
		},
		"*.certificate_name_mismatch": func(t *testing.T, s seen) { assert.ErrorAs(t, s.trust, new(x509.HostnameError)) },
		"*.certificate_expired":       ends(-1),
		"*.certificate_expiring":      ends(10),
		"*.certificate_expiring_soon": ends(2),
		"*.timeout": func(t *testing.T, s seen) {
			assert.NotEmpty(t, s.chain, "the handshake was well")
			assert.ErrorContains(t, s.err, "deadline exceeded")
		},
		"*.response_invalid": func(t *testing.T, s seen) { assert.ErrorContains(t, s.err, "malformed HTTP") },
		"oversized_body.*": func(t *testing.T, s seen) {
			assert.Len(t, s.body, 512<<10)
		},

		"*.preauth_device":    answer(302, "Location: /my.policy", "MRHSession=", "LastMRH_Session=", "F5_ST=", device),
		"netscaler.*":         answer(302, "Location: /vpn/index.html", "NSC_TMAA=", device),
		"kemp.*":              answer(200, "/lm_auth_proxy?LMimage=", "Content-Type: text/html", device),
		"entra_proxy.*":       answer(302, "Location: https://login.microsoftonline.com/"+tenant+"/oauth2/authorize?", "AzureAppProxyAccessCookie_", device),
		"adfs_proxy.*":        answer(307, "Location: https://sts.contoso.test/adfs/ls/?", "realm=urn%3AAppProxy%3Acom", device),
		"f5_deny.activesync":  answer(401, "<title>Authentication Failured</title>", "!Www-Authenticate", device),
		"*.blocked":           answer(403, "X-Feserver: EX01"),
		"*.server_error":      answer(503, "The service is unavailable."),
		"*.unexpected_status": answer(404, "X-Feserver: EX01", "!Jsonerror"),

		"autodiscover.points_to_cloud":         answer(200, `"Url":"https://outlook.office365.com/`, "X-Feproxyinfo: AM0PR04CA0012.EURPRD04.PROD.OUTLOOK.COM"),
		"autodiscover.authentication_required": answer(401, "X-Feserver: EX01", "Www-Authenticate: Negotiate", "Www-Authenticate: Basic"),
		"autodiscover.redirect_loop":           answer(302, "Location: "+request(t, l, "autodiscover").URL.String()),
		"autodiscover.redirect_insecure":       answer(302, "Location: http://autodiscover.contoso.test/autodiscover/autodiscover.json?"),
		"autodiscover.redirects_to_cloud":      answer(302, "Location: https://outlook.office365.com/autodiscover/autodiscover.json?Email=hmad-probe%40contoso.mail.onmicrosoft.com&Protocol=activesync&RedirectCount=3", "X-Beserver: EX01"),
		"autodiscover.probe_mailbox_unknown":   answer(404, `"ErrorCode":"UserNotFound"`, "Jsonerror: true"),
		"domain_unknown.autodiscover":          answer(404, `"ErrorCode":"DomainNotFound"`, "Jsonerror: true"),
		"autodiscover.autodiscover_error":      answer(400, `"ErrorCode":"InvalidUserId"`, "Jsonerror: true"),
		"autodiscover.protocol_wrong":          answer(200, `{"Protocol":"Ews","Url":"`+l.Facts().ActiveSyncURL+`"}`),
		"autodiscover.url_missing":             answer(200, `{"Protocol":"activesync"}`),
		"autodiscover.url_insecure":            answer(200, `{"Protocol":"activesync","Url":"http://mail.contoso.test:`),
		"autodiscover.url_mismatch":            answer(200, `{"Protocol":"activesync","Url":"https://owa.contoso.test:`),
		"autodiscover.private_address": func(t *testing.T, s seen) {
			assert.Equal(t, []netip.Addr{netip.MustParseAddr("fe80::1")}, s.ip6)
			assert.Equal(t, 200, s.status)
		},

		"tls_offload.tls_offloaded":         answer(401, bearer, audienceRefused("http://mobile.contoso.test")),
		"tls_offload.host_rewritten":        answer(401, bearer, audienceRefused("https://ex01.corp.contoso.test")),
		"tls_offload.forged_token_accepted": answer(200, "X-Feserver: EX01", "Ms-Server-Activesync: 15.2", "!X-Ms-Diagnostics"),

		"activesync.points_to_cloud":           answer(401, `trusted_issuers="00000001-0000-0000-c000-000000000000@*"`, `authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="invalid_token"`, "X-Feefzinfo: ", `Basic Realm=""`),
		"activesync.challenge_missing":         answer(401, "!Www-Authenticate", "X-Feserver: EX01"),
		"activesync.bearer_missing":            answer(401, "!Bearer", `Www-Authenticate: Basic realm="mail.contoso.test"`, "X-Feserver: EX01"),
		"activesync.oauth_not_available":       answer(401, bearer+types+`, error="invalid_token"`, `X-Ms-Diagnostics: 4000000;reason="Flighting is not enabled for domain 'mail.contoso.test'.";error_category="oauth_not_available"`),
		"oauth_off_behind_f5.activesync":       answer(401, bearer+types+`, error="invalid_token",Basic realm="mail.contoso.test"`, "Set-Cookie: TS01a32329=", "X-Feserver: EX01"),
		"activesync.client_id_wrong":           answer(401, `Bearer client_id="00000003-0000-0ff1-ce00-000000000000"`, uri),
		"activesync.authorization_uri_missing": answer(401, bearer+types+"\n", "!X-Ms-Diagnostics"),
		"activesync.authorization_uri_foreign": answer(401, `authorization_uri="https://adfs.contoso.test/adfs/oauth2/authorize", issuer_kind="ADFS"`, "!error="),
		"activesync.authorization_uri_unusual": answer(401, `authorization_uri="https://login.windows.net/common/oauth2/token"`),
		"activesync.tls_offloaded":             answer(401, bearer+uri+`, error="invalid_token"`, `X-Ms-Diagnostics: 2000003;reason="The hostname component of the audience claim value is invalid. Expected 'https://mail.contoso.test'. Actual 'http://mail.contoso.test'.";error_category="invalid_resource"`),
		"activesync.tenant_mismatch":           answer(401, "@00c118a9-2de9-41d3-b39a-81648a7a5e4d", "!"+tenant, uri),
		"activesync.token_error":               answer(401, bearer+types+uri, `error="invalid_token"`, `X-Ms-Diagnostics: 2000007;`),
		"activesync.mailbox_oauth_off": func(t *testing.T, s seen) {
			answer(401, bearer+types+uri)(t, s)
			r := request(t, l, "activesync")
			r.Header.Set("X-User-Identity", mailbox)
			answer(401, "!authorization_uri",
				`X-Ms-Diagnostics: 4000000;reason="Flighting is not enabled for domain 'hmad-probe@contoso.test'."`)(t, ask(t, l, r, checktest.Patience))
		},
		"activesync.addresses_disagree": func(t *testing.T, s seen) {
			members := l.Facts().Members
			require.Len(t, members, 2)
			answer(401, "X-Feserver: EX01", bearer)(t, s)
			answer(401, "X-Feserver: EX02", bearer)(t, ask(t, l, request(t, l, "activesync"), checktest.Patience, members[0]))
			answer(401, "X-Feserver: EX03", "!Bearer")(t, ask(t, l, request(t, l, "activesync"), checktest.Patience, members[1]))
		},
	}
}

// text writes the answer's header and body, a line for each value.
func (s seen) text() string {
	var b strings.Builder
	for name, values := range s.header {
		for _, v := range values {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	return b.String() + "\n" + s.body
}

func TestConnectionsAreRefusedByEveryMember(t *testing.T) {
	l := start(t)
	require.NoError(t, l.Set("activesync.connect_failed", true))
	for _, m := range l.Facts().Members {
		assert.ErrorIs(t, ask(t, l, request(t, l, "activesync"), checktest.Patience, m).connect, syscall.ECONNREFUSED)
	}
	require.NoError(t, l.Set("activesync.connect_failed", false))
	for _, m := range l.Facts().Members {
		assert.NoError(t, ask(t, l, request(t, l, "activesync"), checktest.Patience, m).err)
	}
}

func TestSeveralFaultsAtOnce(t *testing.T) {
	l := start(t)
	for _, name := range []string{"activesync.client_id_wrong", "activesync.tenant_mismatch", "activesync.certificate_expiring", "autodiscover.url_missing"} {
		require.NoError(t, l.Set(name, true))
	}
	s := ask(t, l, request(t, l, "activesync"), checktest.Patience)
	assert.Contains(t, s.text(), `client_id="00000003-`)
	assert.Contains(t, s.text(), "@00c118a9-")
	assert.Less(t, time.Until(s.chain[0].NotAfter), 11*day)
	require.NoError(t, l.Set("activesync.client_id_wrong", false))
	s = ask(t, l, request(t, l, "activesync"), checktest.Patience)
	assert.Contains(t, s.text(), `client_id="00000002-`)
	assert.Contains(t, s.text(), "@00c118a9-", "the others stay")
}

func TestFaultNames(t *testing.T) {
	l := start(t)
	names, variants := map[string]bool{}, map[string]string{}
	for _, f := range l.Faults() {
		assert.Regexp(t, `^[a-z0-9_]+\.[a-z_]+$`, f.Name)
		assert.Contains(t, l.facts.Checks, l.checkOf(f.Name))
		assert.False(t, names[f.Name], "%s twice", f.Name)
		assert.Regexp(t, `^[A-Z].*\.$`, f.Doc, f.Name)
		names[f.Name] = true
		if check := l.checkOf(f.Name); strings.HasSuffix(f.Name, "."+check) {
			reason := regexp.MustCompile(`[(; ](\w+)\)\.$`).FindStringSubmatch(f.Doc)
			require.Len(t, reason, 2, "%s does not say what it leads to", f.Name)
			variants[f.Name] = check + "." + reason[1]
		}
	}
	for name, of := range variants {
		assert.True(t, names[of], "%s is another way to %s, which there is not", name, of)
	}
}

func TestSetNamesTheNearestFaults(t *testing.T) {
	l := start(t)
	for wrong, near := range map[string]string{
		"activesync.bearer_mising":  "activesync.bearer_missing",
		"bearer_missing":            "activesync.bearer_missing",
		"vantage.clockskew":         "vantage.clock_skew",
		strings.Repeat("x", 100000): "", // ends
	} {
		err := l.Set(wrong, true)
		require.ErrorIs(t, err, ErrUnknownFault)
		assert.ErrorContains(t, err, near)
	}
}

func TestSwitchedFaultsAreLoggedOnce(t *testing.T) {
	var lines []string
	l, err := Start(Options{Dir: t.TempDir(), Control: "127.0.0.1:0",
		Log: func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }})
	require.NoError(t, err)
	defer l.Close()
	for _, on := range []bool{true, true, false, false} {
		require.NoError(t, l.Set("activesync.blocked", on))
	}
	assert.Equal(t, []string{"fault activesync.blocked: on", "fault activesync.blocked: off"}, lines)
}
