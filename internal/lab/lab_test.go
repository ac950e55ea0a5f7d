package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start brings up a lab on free ports for the length of a test.
func start(t testing.TB) *Lab {
	t.Helper()
	l, err := Start(Options{Dir: t.TempDir(), Control: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// resolver asks the lab's name server.
func resolver(l *Lab, network string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, l.Facts().Resolver)
	}}
}

// hosts are the checks that have a host of their own.
var hosts = []string{"vantage", "autodiscover", "activesync", "tls_offload"}

// foreignToken makes a token for nobody's audience, with other claims besides.
func foreignToken(more map[string]any) string {
	all := map[string]any{"ver": "1.0", "scp": "EAS.AccessAsUser.All", "aud": "https://hmad-probe.invalid/", "iss": "https://sts.windows.net/" + tenant + "/"}
	maps.Copy(all, more)
	payload, _ := json.Marshal(all)
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part(payload) + "." + part([]byte("none"))
}

// audienceRefused is what Exchange says of such a token when it saw that URL.
func audienceRefused(actual string) string {
	return `2000003;reason="The hostname component of the audience claim value is invalid. ` +
		`Expected 'https://hmad-probe.invalid'. Actual '` + actual + `'.";error_category="invalid_resource"`
}

// request is what the check of that name asks of a healthy or a broken lab.
func request(t testing.TB, l *Lab, check string) *http.Request {
	t.Helper()
	f := l.Facts()
	target := map[string]string{
		"autodiscover": "https://" + f.AutodiscoverHost + autodiscoverPath + "?Email=" + url.QueryEscape(f.Mailbox) + "&Protocol=activesync&RedirectCount=3",
		"activesync":   f.ActiveSyncURL,
		"tls_offload":  f.OffloadURL,
		"vantage":      strings.ReplaceAll(f.OpenIDConfiguration, "{tenant}", f.Tenant),
	}[check]
	r, err := http.NewRequest(http.MethodGet, target, nil)
	require.NoError(t, err)
	switch check {
	case "activesync":
		r.Header.Set("Authorization", "Bearer ")
	case "tls_offload":
		r.Header.Set("Authorization", "Bearer "+foreignToken(nil))
	}
	return r
}

// seen is what one request on a fresh connection showed.
type seen struct {
	lookup  error // of resolving the name
	connect error // of TCP
	err     error // of anything later but the certificate
	trust   error // of the certificate
	chain   []*x509.Certificate
	ip6     []netip.Addr
	status  int
	header  http.Header
	body    string
}

// ask puts a request to the name's own address, or to another one. Once it is
// written, limit is how long an answer is waited for.
func ask(t testing.TB, l *Lab, r *http.Request, limit time.Duration, at ...string) (s seen) {
	t.Helper()
	ctx, expire := checktest.Expiring(t)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { time.AfterFunc(limit, expire) }})
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			addr, s.ip6, s.lookup = place(ctx, l, addr, at)
			if s.lookup != nil {
				return nil, s.lookup
			}
			var c net.Conn
			c, s.connect = new(net.Dialer).DialContext(ctx, "tcp", addr)
			return c, s.connect
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(cs tls.ConnectionState) error {
			s.chain = cs.PeerCertificates
			s.trust = verify(t, l, cs)
			return nil
		}},
	}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		s.err = err
		return s
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	s.status, s.header, s.body, s.err = resp.StatusCode, resp.Header, string(body), err
	return s
}

func place(ctx context.Context, l *Lab, addr string, at []string) (string, []netip.Addr, error) {
	if len(at) > 0 {
		return at[0], nil, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", nil, err
	}
	ip4, err := resolver(l, "udp").LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return "", nil, err
	}
	ip6, err := resolver(l, "udp").LookupNetIP(ctx, "ip6", host)
	var none *net.DNSError
	if err != nil && !(errors.As(err, &none) && none.IsNotFound) {
		return "", nil, err
	}
	return net.JoinHostPort(ip4[0].String(), port), ip6, nil
}

func verify(t testing.TB, l *Lab, cs tls.ConnectionState) error {
	pem, err := os.ReadFile(l.Facts().CAFile)
	require.NoError(t, err)
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err = cs.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: cs.ServerName, Roots: roots, Intermediates: between})
	return err
}

// checkHealthy asserts that a host answers as it does without faults.
func checkHealthy(t *testing.T, l *Lab, check string) {
	t.Helper()
	s := ask(t, l, request(t, l, check), checktest.Patience)
	require.NoError(t, s.err, check)
	require.NoError(t, s.trust, check)
	assert.Greater(t, time.Until(s.chain[0].NotAfter), 80*day, check)
	assert.Empty(t, s.ip6, check)
	date, err := http.ParseTime(s.header.Get("Date"))
	require.NoError(t, err, check)
	assert.WithinDuration(t, time.Now(), date, checktest.Patience, check)
	switch check {
	case "activesync":
		assert.Equal(t, 401, s.status)
		assert.Contains(t, s.header.Get("WWW-Authenticate"), `authorization_uri="https://login.windows.net/common/oauth2/authorize", issuer_kind="AzureAD"`)
	case "autodiscover":
		assert.Equal(t, 200, s.status)
		assert.JSONEq(t, `{"Protocol":"activesync","Url":"`+l.Facts().ActiveSyncURL+`"}`, s.body)
	case "tls_offload":
		assert.Equal(t, 401, s.status)
		assert.Equal(t, audienceRefused("https://mobile.contoso.test"), s.header.Get("X-Ms-Diagnostics"))
	case "vantage":
		assert.Equal(t, 200, s.status)
		assert.Contains(t, s.body, `"issuer":"https://login.microsoftonline.com/`+tenant+`/v2.0"`)
	}
}

func TestHealthyLab(t *testing.T) {
	l := start(t)
	for _, check := range hosts {
		checkHealthy(t, l, check)
	}
	for _, f := range l.Faults() {
		assert.False(t, f.On, f.Name)
	}
}

func TestTwoLabsSideBySideDoNotDisturbEachOther(t *testing.T) {
	a, b := start(t), start(t)
	require.NoError(t, a.Set("activesync.connect_failed", true))
	assert.Error(t, ask(t, a, request(t, a, "activesync"), checktest.Patience).connect)
	checkHealthy(t, b, "activesync")
	assert.NotEqual(t, a.Facts().Resolver, b.Facts().Resolver)
}

func TestPortsFollowTheFirst(t *testing.T) {
	for range 10 { // somebody else may take one of the six meanwhile
		l := start(t)
		first := l.hosts["activesync"].port
		require.NoError(t, l.Close())
		l, err := Start(Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Port: first})
		if err != nil {
			continue
		}
		defer l.Close()
		f := l.Facts()
		got := []int{l.hosts["activesync"].port, l.hosts["autodiscover"].port, l.hosts["vantage"].port, l.hosts["tls_offload"].port,
			int(netip.MustParseAddrPort(f.Resolver).Port())}
		assert.Equal(t, []int{first, first + 1, first + 2, first + 3, first + 4}, got)
		return
	}
	t.Fatal("no six free ports in ten tries")
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		opt  Options
		want string
	}{
		"a control port for everybody":     {Options{Dir: t.TempDir(), Control: "0.0.0.0:9750"}, "not on loopback"},
		"a control port without address":   {Options{Dir: t.TempDir(), Control: ":9750"}, "not on loopback"},
		"a control port by name":           {Options{Dir: t.TempDir(), Control: "lab.contoso.test:9750"}, "not on loopback"},
		"a control address without a port": {Options{Dir: t.TempDir(), Control: "127.0.0.1"}, "missing port"},
		"a control address in use":         {Options{Dir: t.TempDir(), Control: taken.Addr().String()}, "in use"},
		"a first port in use":              {Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Port: portOf(taken)}, "in use"},
		"no directory":                     {Options{Control: "127.0.0.1:0"}, "no directory"},
		"a directory that is a file":       {Options{Dir: file, Control: "127.0.0.1:0"}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Start(c.opt)
			assert.ErrorContains(t, err, c.want)
			assert.Nil(t, l)
		})
	}
}

func TestClosedLab(t *testing.T) {
	l := start(t)
	require.NoError(t, l.Set("activesync.timeout", true))
	held := make(chan seen)
	go func() { held <- ask(t, l, request(t, l, "activesync"), checktest.Patience) }()
	require.NoError(t, l.Close())
	assert.Error(t, (<-held).err, "a held request ends")
	assert.NoError(t, l.Close(), "again")
	assert.ErrorContains(t, l.Set("activesync.timeout", false), "closed")
	for _, a := range append(l.Facts().Members, l.Facts().Resolver, strings.TrimPrefix(l.Facts().Control, "http://")) {
		_, err := net.Dial("tcp", a)
		assert.ErrorContains(t, err, "refused", a)
	}
}

func TestConfigNamesTheLab(t *testing.T) {
	l := start(t)
	var c struct {
		ConfirmAfter time.Duration `yaml:"confirm_after"`
		Targets      []struct {
			Name, Mailbox, Tenant, Vantage, Resolver string
			CAFile                                   string `yaml:"ca_file"`
			Autodiscover                             struct{ Host string }
			ActiveSync                               struct {
				URL     string
				Members []string
			}
			Entra struct {
				URL string `yaml:"openid_configuration"`
			}
			ExchangeOnline struct {
				ClientID        string `yaml:"client_id"`
				CertificateFile string `yaml:"certificate_file"`
				AuthorityHost   string `yaml:"authority_host"`
			} `yaml:"exchange_online"`
			OnPrem struct {
				Report struct {
					File  string
					Hosts []string
				}
			} `yaml:"onprem"`
			Checks map[string]struct {
				Enabled  bool
				Schedule string
				Timeout  time.Duration
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(Config(l), &c))
	require.Len(t, c.Targets, 1)
	got, f := c.Targets[0], l.Facts()
	assert.Equal(t, 200*time.Millisecond, c.ConfirmAfter)
	assert.Equal(t, []string{"contoso", "hmad-probe@contoso.test", f.Tenant, "external", f.Resolver, f.CAFile},
		[]string{got.Name, got.Mailbox, got.Tenant, got.Vantage, got.Resolver, got.CAFile})
	assert.Equal(t, f.AutodiscoverHost, got.Autodiscover.Host)
	assert.Equal(t, f.ActiveSyncURL, got.ActiveSync.URL)
	assert.Equal(t, f.Members, got.ActiveSync.Members)
	assert.Equal(t, f.OpenIDConfiguration, got.Entra.URL)
	assert.Equal(t, []string{f.ClientID, f.CertificateFile, f.AuthorityHost},
		[]string{got.ExchangeOnline.ClientID, got.ExchangeOnline.CertificateFile, got.ExchangeOnline.AuthorityHost})
	assert.Equal(t, f.Reports, got.OnPrem.Report.File)
	assert.Equal(t, []string{"EX01", "EX02", "EX03"}, got.OnPrem.Report.Hosts)
	assert.Subset(t, f.Checks, append(slices.Clone(hosts), "evosts_metadata", "metadata_refresh", "onprem_report", "configuration"))
	assert.ElementsMatch(t, f.Checks, slices.Collect(maps.Keys(got.Checks)))
	for name, c := range got.Checks {
		assert.True(t, c.Enabled, name)
		assert.Equal(t, "@every 10s", c.Schedule, name)
		assert.Equal(t, 8*time.Second, c.Timeout, name)
	}
}

func TestIssuerOfTheCertificatesIsFetchable(t *testing.T) {
	l := start(t)
	s := ask(t, l, request(t, l, "activesync"), checktest.Patience)
	require.NoError(t, s.err)
	require.Len(t, s.chain[0].IssuingCertificateURL, 1)
	r, err := http.NewRequest(http.MethodGet, s.chain[0].IssuingCertificateURL[0], nil)
	require.NoError(t, err)
	got := ask(t, l, r, checktest.Patience)
	require.NoError(t, got.err)
	assert.Equal(t, string(s.chain[1].Raw), got.body)
}

func TestCertificatesOfALongRunningLabStayFresh(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	a, err := newAuthority(func() time.Time { return now })
	require.NoError(t, err)
	first, err := a.leaf(mailName, Expiring)
	require.NoError(t, err)
	again, err := a.leaf(mailName, Expiring)
	require.NoError(t, err)
	assert.Same(t, first, again)
	now = now.Add(5 * day)
	later, err := a.leaf(mailName, Expiring)
	require.NoError(t, err)
	assert.Equal(t, now.Add(10*day), later.Leaf.NotAfter)
}

func TestIssuedCertificates(t *testing.T) {
	l := start(t)
	for name, c := range map[string]struct {
		kind  Certificate
		certs int
		err   any
	}{
		"a good one":            {Good, 2, nil},
		"without intermediate":  {Incomplete, 1, new(x509.UnknownAuthorityError)},
		"expired":               {Expired, 2, new(x509.CertificateInvalidError)},
		"for another name":      {WrongName, 2, new(x509.HostnameError)},
		"of no authority's own": {SelfSigned, 1, new(x509.UnknownAuthorityError)},
	} {
		t.Run(name, func(t *testing.T) {
			chain, key, err := l.Issue("proxy.contoso.test", c.kind)
			require.NoError(t, err)
			pair, err := tls.X509KeyPair(chain, key)
			require.NoError(t, err)
			assert.Len(t, pair.Certificate, c.certs)
			cs := tls.ConnectionState{ServerName: "proxy.contoso.test"}
			for _, der := range pair.Certificate {
				cert, err := x509.ParseCertificate(der)
				require.NoError(t, err)
				cs.PeerCertificates = append(cs.PeerCertificates, cert)
			}
			if err := verify(t, l, cs); c.err == nil {
				assert.NoError(t, err)
			} else {
				assert.ErrorAs(t, err, c.err)
			}
		})
	}
}

// Several labs make one config: a target for each, of a tenant of its own, at the
// pace that each was given.
func TestConfigOfSeveralLabs(t *testing.T) {
	slow, err := Start(Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Target: "slow", Every: time.Minute, Online: Online{Mailboxes: 20}})
	require.NoError(t, err)
	defer slow.Close()
	f, err := config.Parse("lab.yaml", Config(start(t), slow))
	require.NoError(t, err)
	require.Len(t, f.Targets, 2)
	assert.Equal(t, []string{"contoso", "slow"}, []string{f.Targets[0].Name, f.Targets[1].Name})
	assert.NotEqual(t, f.Targets[0].Tenant, f.Targets[1].Tenant)
	assert.Equal(t, []string{"@every 10s", "@every 1m0s"}, []string{f.Targets[0].Checks["activesync"].Schedule.String(), f.Targets[1].Checks["activesync"].Schedule.String()})
	assert.Equal(t, time.Minute, f.Targets[1].Sync.AskEvery)
}

func TestALabIsNotLookedAtAllTheTime(t *testing.T) {
	_, err := Start(Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Every: time.Millisecond})
	assert.ErrorContains(t, err, "looked at every 1ms, want a second or more")
}
