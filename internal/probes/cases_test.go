package probes

import (
	"bufio"
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// recorded returns an answer that people met in public, byte by byte.
func recorded(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".http")
	require.NoError(t, err)
	return string(text)
}

// replayed is a target whose hosts all answer with the text.
func replayed(t *testing.T, ca *authority, text string) config.Target {
	t.Helper()
	return served(t, ca, answers(text))
}

func served(t *testing.T, ca *authority, handle func(net.Conn)) config.Target {
	t.Helper()
	both := ca.leaf(t, func(c *x509.Certificate) { c.DNSNames = []string{discoveryHost, testHost} })
	e := &estate{address: serveTLS(t, both, handle).String()}
	return e.target()
}

func TestWhatPeopleMetAtActiveSync(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	for name, c := range map[string]struct {
		file  string
		want  []string
		words string
	}{
		"an empty answer":                          {"09-abort-request", []string{"response_invalid"}, "AbortRequest"},
		"the application proxy asks for a sign-in": {"10-app-proxy-own-bearer", []string{"preauth_device"}, "Entra application proxy answered 401"},
		"the application proxy lets pass":          {"10-app-proxy-pass-through", []string{}, ""},
		"a client certificate required":            {"12-403-7", []string{"blocked"}, "sub-status 403.7: IIS requires a client certificate"},
		"the sign-in host of the US government":    {"14-us-gov", []string{"authorization_uri_foreign"}, "Microsoft's cloud for the US government"},
		"ActiveSync's redirect":                    {"15-451", []string{"unexpected_status"}, "451 Redirect (Exchange ActiveSync sends the client to another address), X-MS-Location: https://legacy.contoso.com/Microsoft-Server-ActiveSync"},
		"a phrase of its own":                      {"15-reason-phrase", []string{"unexpected_status"}, "449 Retry after sending a PROVISION command"},
		"other groupware":                          {"22-z-push", []string{"preauth_device"}, "no header of Exchange's"},
		"Cloudflare refuses the monitor":           {"31-ua-ban", []string{"blocked"}, "Cloudflare stands in front"},
		"early hints":                              {"32-early-hints", []string{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			report := mustRun(t, ActiveSync, replayed(t, ca, recorded(t, c.file)), envFor(ca))
			require.Equal(t, c.want, foundNames(report.Findings))
			if c.words != "" {
				assert.Contains(t, report.Findings[0].Detail, c.words)
			}
		})
	}
}

func TestWhatPeopleMetAtAutodiscover(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	for name, c := range map[string]struct {
		text  string
		want  []string
		words string
	}{
		"compressed without being asked": {recorded(t, "03-gzip-unasked"), nil, ""},
		"a coding that nobody reads": {strings.Replace(recorded(t, "03-gzip-unasked"), "gzip", "br", 1), []string{"response_invalid"},
			"Content-Encoding: br"},
		"gzip that is none": {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno", []string{"response_invalid"},
			"Content-Encoding: gzip"},
		"a URL in the cloud":            {recorded(t, "05-url-in-cloud"), []string{"points_to_cloud"}, "outlook.office365.com"},
		"a URL on loopback":             {recorded(t, "06-url-loopback-external"), []string{"private_address"}, "127.0.0.1"},
		"a URL with a single label":     {recorded(t, "06-url-single-label"), []string{"private_address"}, "ex01"},
		"the older service":             {recorded(t, "08-v1-xml-600"), []string{"response_invalid"}, "autodiscover.xml), with its error 600"},
		"an empty answer":               {recorded(t, "09-abort-request"), []string{"response_invalid"}, "AbortRequest"},
		"JSON that is called HTML":      {recorded(t, "23-static-json-html-type"), nil, ""},
		"refused by Cloudflare":         {recorded(t, "31-ua-ban"), []string{"blocked"}, "Cloudflare stands in front"},
		"Cloudflare cannot reach it":    {"HTTP/1.1 522\r\nServer: cloudflare\r\nContent-Length: 0\r\n\r\n", []string{"server_error"}, "522 (the server does not accept Cloudflare's connection in time)"},
		"a client certificate required": {recorded(t, "12-403-7"), []string{"blocked"}, "403.7"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, vantage := range []string{"inside", config.External} {
				target := replayed(t, ca, c.text)
				target.ActiveSync.URL, target.Vantage = config.URL{}, vantage
				report := mustRun(t, Autodiscover, target, envFor(ca))
				require.Equal(t, append([]string{}, c.want...), foundNames(report.Findings), vantage)
				if c.words != "" {
					assert.Contains(t, report.Findings[0].Detail, c.words)
				}
			}
		})
	}
}

// A device that refuses what only hmad asks is no fault of the endpoint.
func TestARefusalOfTheQuestionForTheMailboxIsNoFault(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	good := recorded(t, "26-waf-x-user-identity")
	for name, refusal := range map[string]string{
		"403":                  "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
		"406":                  "HTTP/1.1 406 Not Acceptable\r\nContent-Length: 0\r\n\r\n",
		"a page":               "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
		"a redirect elsewhere": "HTTP/1.1 302 Found\r\nLocation: https://waf.contoso.test/\r\nContent-Length: 0\r\n\r\n",
		"no answer":            "",
	} {
		t.Run(name, func(t *testing.T) {
			target := served(t, ca, func(c net.Conn) {
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err == nil && req.Header.Get("X-User-Identity") == "" {
					io.WriteString(c, good)
				} else {
					io.WriteString(c, refusal)
				}
			})
			report := mustRun(t, ActiveSync, target, envFor(ca))
			assert.Empty(t, foundNames(report.Findings))
			assert.Contains(t, reasonNames(report.Unevaluated()), "mailbox_oauth_off")
			assert.Contains(t, strings.Join(report.Texts(), "\n"), "X-User-Identity, which hmad adds")
		})
	}
}

func TestUnpublishedNames(t *testing.T) {
	for host, want := range map[string]bool{
		"ex01": true, "mail.contoso.local": true, "MAIL.CONTOSO.LOCAL.": true, "localhost": true, "127.0.0.1": true, "::1": true, "10.0.0.1": true,
		"169.254.1.1": true, "fe80::1": true, "100.64.0.1": true, "ex01.corp": true, "ex01.contoso.internal": true,
		"mail.contoso.com": false, "mail.contoso.test": false, "198.51.100.7": false, "local.contoso.com": false, "mail.mylocal": false,
	} {
		assert.Equal(t, want, unpublished(host), host)
	}
}

// Date is of the moment when the answer was made: one that a cache kept says
// nothing of the clock.
func TestACachedAnswerSaysNothingOfTheClock(t *testing.T) {
	a := answered(200, "Date", "Sun, 29 Nov 2026 20:00:00 GMT", "Age", "3600", "Via", "1.1 proxy (squid)")
	report, _ := Vantage.Look(t.Context(), func(_ context.Context, v *check.Verdict) { judgeClock(v, a) })
	assert.Empty(t, report.Findings)
	assert.Empty(t, report.Samples)
}
