package probes

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

// A filter that knows hmad by its User-Agent is no fault of the endpoint: what
// it answers to another one counts.
func TestAUserAgentThatIsRefused(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	banned := recorded(t, "31-ua-ban")
	const broken = "HTTP/1.1 500 Internal Server Error\r\nX-FEServer: EX01\r\nContent-Length: 0\r\n\r\n"
	discovered := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 87\r\n\r\n" +
		`{"Protocol":"activesync","Url":"https://mail.contoso.test/Microsoft-Server-ActiveSync"}`
	challenged := recorded(t, "26-waf-x-user-identity")
	for name, c := range map[string]struct {
		def             *check.Def
		refusal, answer string // to hmad's User-Agent, to another one
		want            []string
		noted           bool
	}{
		"Cloudflare's 1010":               {ActiveSync, banned, challenged, []string{}, true},
		"406":                             {ActiveSync, "HTTP/1.1 406 Not Acceptable\r\nContent-Length: 0\r\n\r\n", challenged, []string{}, true},
		"a page that asks for a browser":  {ActiveSync, page("503 Service Unavailable"), challenged, []string{}, true},
		"no answer":                       {ActiveSync, "", challenged, []string{}, true},
		"AutoDiscover behind Cloudflare":  {Autodiscover, banned, discovered, []string{}, true},
		"AutoDiscover without an answer":  {Autodiscover, "", discovered, []string{}, true},
		"a refusal of every User-Agent":   {ActiveSync, banned, banned, []string{"blocked"}, false},
		"a fault of Exchange's behind it": {ActiveSync, banned, broken, []string{"server_error"}, true},
		"a fault and no refusal":          {ActiveSync, broken, challenged, []string{"server_error"}, false},
		"another one without an answer":   {ActiveSync, banned, "", []string{"blocked"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			target := served(t, ca, func(conn net.Conn) {
				in := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					answer := c.answer
					if strings.HasPrefix(req.UserAgent(), "hmad/") {
						answer = c.refusal
					}
					if answer == "" {
						return
					}
					io.WriteString(conn, answer)
				}
			})
			report := mustRun(t, c.def, target, envFor(ca))
			assert.Equal(t, c.want, foundNames(report.Findings))
			assert.Equal(t, c.noted, strings.Contains(strings.Join(report.Texts(), "\n"), "refuses hmad's User-Agent"))
		})
	}
}

// An endpoint that answers now and then refuses nobody: its refusal stands, though
// the question that is put in another way may have met the good moment.
func TestAnEndpointThatAnswersNowAndThen(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	for name, refusal := range map[string]string{"a closed connection": "", "403": "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"} {
		for _, good := range []int64{1, 2, 3, 4, 5} { // every how many connections
			t.Run(fmt.Sprintf("%s, but for every %d", name, good), func(t *testing.T) {
				var n atomic.Int64
				target := served(t, ca, func(conn net.Conn) {
					answer := refusal
					if n.Add(1)%good == 0 {
						answer = recorded(t, "26-waf-x-user-identity")
					}
					answers(answer)(conn)
				})
				report := mustRun(t, ActiveSync, target, envFor(ca))
				assert.Equal(t, good == 1, len(report.Findings) == 0, "%v", report.Findings)
				assert.NotContains(t, strings.Join(report.Texts(), "\n"), "refuses hmad's")
			})
		}
	}
}

// IIS closes a connection of TLS 1.3 that it cannot ask for a client certificate;
// over TLS 1.2 it asks by renegotiation.
func TestAServerThatRefusesTLS13Alone(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	for name, refusal := range map[string]string{
		"a closed connection": "",
		"403":                 "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			target := served(t, ca, func(conn net.Conn) {
				answer := recorded(t, "26-waf-x-user-identity")
				if conn.(*tls.Conn).ConnectionState().Version == tls.VersionTLS13 {
					answer = refusal
				}
				answers(answer)(conn)
			})
			report := mustRun(t, ActiveSync, target, envFor(ca))
			assert.Empty(t, report.Findings)
			texts := strings.Join(report.Texts(), "\n")
			assert.Contains(t, texts, "refuses hmad's TLS 1.3")
			assert.Contains(t, texts, "--tls-max 1.2")
		})
	}
}

// page is an answer with a page for people.
func page(status string) string {
	return "HTTP/1.1 " + status + "\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
}
