package online

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/entra/entratest"
)

const (
	jane     = "jane@contoso.com"
	janeGUID = "2be92a50-94f1-4cb9-8ff7-d53741dc928c"
)

// asked is one request that reached the admin API.
type asked struct {
	url    string
	header http.Header
	body   string
}

// adminAPI is Exchange Online's host and Entra's on loopback: the one answers
// as answers has it, in order, the last for ever; the other gives tokens.
type adminAPI struct {
	*entratest.Authority
	port    string
	log     bytes.Buffer // of the server: broken connections
	mu      sync.Mutex
	asked   []asked
	answers []http.HandlerFunc
}

func (a *adminAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/adminapi/") {
		a.Authority.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.asked = append(a.asked, asked{r.URL.String(), r.Header.Clone(), string(body)})
	h := a.answers[min(len(a.asked), len(a.answers))-1]
	a.mu.Unlock()
	h(w, r)
}

// requests returns what was asked so far.
func (a *adminAPI) requests() []asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]asked(nil), a.asked...)
}

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// meter keeps what was counted.
type meter struct {
	mu       sync.Mutex
	counts   map[string]float64
	observed int
}

func (m *meter) Add(f *check.Metric, v float64, labels ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[f.Name+strings.Join(labels, ",")] += v
}

func (m *meter) Observe(*check.Metric, float64, ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observed++
}

// office is a client with the API that it asks.
type office struct {
	*Client
	target config.Target
	api    *adminAPI
	clock  *clock
	meter  *meter
}

// keys are made once: RSA takes its time. Their files are gone with the first
// test.
var (
	keysOnce sync.Once
	keys     struct {
		ca   *checktest.CA
		cert *checktest.Cert
	}
)

// newOffice starts an API that answers so, and a client with a certificate.
func newOffice(t testing.TB, answers ...http.HandlerFunc) *office {
	t.Helper()
	keysOnce.Do(func() {
		keys.ca = checktest.NewCA(t)
		keys.cert = keys.ca.Issue(t, "outlook.contoso.test", "login.contoso.test")
	})
	ca, cert := keys.ca, keys.cert
	api := &adminAPI{Authority: &entratest.Authority{Cert: cert.Cert}, answers: answers}
	srv := httptest.NewUnstartedServer(api)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert.TLS()}}
	srv.Config.ErrorLog = log.New(&api.log, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	_, api.port, _ = net.SplitHostPort(srv.Listener.Addr().String())
	c := &office{api: api, clock: &clock{now: time.Now()}, meter: &meter{counts: map[string]float64{}}}
	env := checktest.Env(c.clock.Now)
	env.Meter = c.meter
	c.target = config.Target{Tenant: entratest.TenantID, CAFile: checktest.Written(t, "ca.pem", checktest.PEM("CERTIFICATE", ca.Cert.Raw)), ExchangeOnline: config.ExchangeOnline{
		App: config.App{ClientID: entratest.ClientID, CertificateFile: checktest.Written(t, "hmad.pem", cert.CertPEM+cert.KeyPEM), DisableAuthorityCheck: true,
			AuthorityHost: checktest.Setting[config.URL]("https://login.contoso.test:" + api.port + "/")},
		Host:  checktest.Setting[config.URL]("https://outlook.contoso.test:" + api.port),
		Scope: checktest.Setting[config.URL](entra.ScopeExchangeOnline), Rate: 2, Concurrency: 4}}
	c.invoke(t, env)
	return c
}

func (c *office) invoke(t testing.TB, env check.Env) {
	t.Helper()
	var err error
	c.Client, err = New(c.target, env)
	require.NoError(t, err)
	t.Cleanup(c.Close)
}

// anotherTarget returns the same office as another target of its tenant asks it.
func (c *office) anotherTarget(t testing.TB) *office {
	other := *c
	other.invoke(t, c.env)
	return &other
}

// devices asks for Jane's phones.
func (c *office) devices(o Options) (Rows, error) {
	return c.Invoke(context.Background(), "Get-MobileDeviceStatistics", map[string]any{"Mailbox": janeGUID}, o)
}

// says returns an answer of the API; headers are pairs.
func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// value is a page with these rows and, where next is set, a continuation.
func value(next string, rows ...string) string {
	page := `{"@odata.context":"https://outlook.office365.com/adminapi/beta/x/$metadata#Collection(Exchange.GenericHashTable)",` +
		`"adminapi.warnings@odata.type":"#Collection(String)","@adminapi.warnings":[],`
	if next != "" {
		page += `"@odata.nextLink":` + string(must(json.Marshal(next))) + `,`
	}
	return page + `"value":[` + strings.Join(rows, ",") + `]}`
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// fault is an error as InvokeCommand words it.
func fault(typeName, text string) string {
	return fmt.Sprintf(`{"error":{"code":"BadRequest","message":"Invalid Operation","details":[{"code":"Client","target":"","message":%s}],`+
		`"innererror":{"message":"Invalid Operation","type":"Microsoft.Exchange.Admin.OData.Core.ODataServiceException",`+
		`"internalexception":{"message":%s,"type":%q,"stacktrace":"at Secret.Place()"}}},"adminapi.warnings@odata.type":"#Collection(String)","@adminapi.warnings":[]}`,
		must(json.Marshal("Ex6F9304|"+typeName+"|"+text)), must(json.Marshal(text)), typeName)
}
