package metadata

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// microsoft is a TLS server on loopback under the name login.windows.net.
type microsoft struct {
	*httptest.Server
	env    check.Env
	target config.Target
	asked  []*http.Request
}

// newMicrosoft starts it; the world's files and clock are the check's.
func newMicrosoft(t *testing.T, w *world, serve http.HandlerFunc) *microsoft {
	m := &microsoft{}
	m.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		m.asked = append(m.asked, r)
		serve(rw, r)
	}))
	m.StartTLS()
	t.Cleanup(m.Close)
	m.env = w.env()
	readFile := m.env.ReadFile
	m.env.ReadFile = func(name string, max int64) ([]byte, error) {
		if name == "ca.pem" {
			return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Certificate().Raw}), nil
		}
		return readFile(name, max)
	}
	m.env.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, m.Listener.Addr().String())
	}
	m.env.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	m.env.Version = "1.2.3"
	m.target = w.target
	m.target.CAFile = "ca.pem"
	// httptest's certificate is for example.com.
	m.target.Metadata.URL = checktest.Setting[config.TenantURL]("https://example.com/{tenant}/federationmetadata/2007-06/federationmetadata.xml")
	return m
}

func TestTheWholeCheckOverTLS(t *testing.T) {
	w := newWorld(t)
	m := newMicrosoft(t, w, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Last-Modified", "Sun, 22 Nov 2026 09:00:00 GMT")
		if r.Header.Get("If-Modified-Since") != "" {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		rw.Write([]byte(federationXML(testIssuer, w.published)))
	})
	parts, err := EvoSTSMetadata.New(m.target, m.env)
	require.NoError(t, err)
	for range 2 {
		report, err := EvoSTSMetadata.Look(t.Context(), parts.Run)
		require.NoError(t, err)
		assert.Empty(t, report.Findings)
	}
	require.Len(t, m.asked, 2)
	assert.Equal(t, "/"+testTenant+"/federationmetadata/2007-06/federationmetadata.xml", m.asked[0].URL.Path)
	assert.Equal(t, "hmad/1.2.3", m.asked[0].UserAgent())
	assert.Equal(t, "Sun, 22 Nov 2026 09:00:00 GMT", m.asked[1].Header.Get("If-Modified-Since"))
}

func TestDocumentsThatCannotBeHad(t *testing.T) {
	for name, tc := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"status 404":       {http.NotFound, "status 404"},
		"an empty body":    {func(http.ResponseWriter, *http.Request) {}, "ends too early"},
		"304 out of place": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "status 304"},
		"20 MB": {func(w http.ResponseWriter, _ *http.Request) {
			for range 20 {
				w.Write(make([]byte, 1<<20))
			}
		}, "over the limit of 1048576 bytes"},
		"20 MB, compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, 20<<20))
			z.Close()
		}, "over the limit of 1048576 bytes"},
		"10,000 levels": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(strings.Repeat("<a>", 10000) + strings.Repeat("</a>", 10000)))
		}, "over 64 levels"},
		"entities": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>`))
		}, "document type or entities"},
		"a redirect to another host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.contoso.com/?token=secret", http.StatusFound)
		}, "not followed"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte("<a>"))
		}, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := newMicrosoft(t, w, tc.serve)
			parts, err := EvoSTSMetadata.New(m.target, m.env)
			require.NoError(t, err)
			report, err := EvoSTSMetadata.Look(t.Context(), parts.Run)
			require.ErrorContains(t, err, tc.want)
			assert.Equal(t, check.Metadata, check.ClassOf(err))
			assert.Equal(t, check.Undecided, check.Result{Report: report, Err: err}.Outcome())
			assert.Contains(t, report.Unevaluated(), metadataStale)
			assert.Contains(t, report.Unevaluated(), metadataLongStale)
			assert.NotContains(t, report.Unevaluated(), authServerMissing, "what the report tells is judged")
			assert.NotContains(t, err.Error(), "secret")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestAServerThatNeverAnswers(t *testing.T) {
	w := newWorld(t)
	ctx, expire := checktest.Expiring(t)
	m := newMicrosoft(t, w, func(_ http.ResponseWriter, r *http.Request) { expire(); <-r.Context().Done() })
	way, err := transport.New(m.target, m.env)
	require.NoError(t, err)
	_, err = overHTTP(way.Client())(ctx, request{URL: "https://example.com/x?secret=1"})
	assert.Equal(t, check.Metadata, check.ClassOf(err))
	assert.NotContains(t, err.Error(), "secret")
}

func TestAProxyThatRefusesIsOurOwnSide(t *testing.T) {
	w := newWorld(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(proxy.Close)
	target, env := w.target, w.env()
	target.Proxy = checktest.Setting[config.Proxy](proxy.URL)
	env.Dial = new(net.Dialer).DialContext
	parts, err := EvoSTSMetadata.New(target, env)
	require.NoError(t, err)
	_, err = EvoSTSMetadata.Look(t.Context(), parts.Run)
	assert.Equal(t, check.VantageOffline, check.ClassOf(err))
}

func TestWhichTargetsHaveTheChecks(t *testing.T) {
	env := newWorld(t).env()
	reported := config.OnPrem{Report: config.Report{Folder: "/reports"}}
	ldap := config.OnPrem{LDAP: config.LDAP{URL: checktest.Setting[config.LDAPURL]("ldaps://dc.contoso.com")}}
	for name, tc := range map[string]struct {
		target config.Target
		want   []string
	}{
		"nothing on premises": {config.Target{Tenant: testTenant}, nil},
		"reports":             {config.Target{Tenant: testTenant, OnPrem: reported}, []string{"evosts_metadata", "metadata_refresh", "onprem_report"}},
		"pushed reports":      {config.Target{Tenant: testTenant, OnPrem: config.OnPrem{Report: config.Report{Listen: checktest.Setting[config.AddrPort]("127.0.0.1:9751")}}}, []string{"evosts_metadata", "metadata_refresh", "onprem_report"}},
		"the directory alone": {config.Target{Tenant: testTenant, OnPrem: ldap}, []string{"evosts_metadata"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range []*check.Def{EvoSTSMetadata, MetadataRefresh, OnPremReport} {
				parts, err := d.New(tc.target, env)
				require.NoError(t, err)
				if parts.Run != nil {
					got = append(got, d.Name)
				}
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

// TestACredentialThatIsNotThere holds that a missing file is told when the
// config is read, with its setting.
func TestACredentialThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	env := w.env()
	env.ReadFile = func(string, int64) ([]byte, error) { return nil, fs.ErrNotExist }
	w.target.ExchangeOnline = config.ExchangeOnline{App: config.App{ClientID: otherTenant, SecretFile: "/nowhere",
		AuthorityHost: checktest.Setting[config.URL]("https://login.microsoftonline.com/")}}
	_, err := EvoSTSMetadata.New(w.target, env)
	require.Error(t, err)
}

func TestDefsSayEverything(t *testing.T) {
	for _, d := range []*check.Def{EvoSTSMetadata, MetadataRefresh, OnPremReport} {
		assert.NotEmpty(t, d.Doc)
		for _, r := range d.Reasons {
			assert.NotEmpty(t, r.Summary, r.Name)
			assert.NotEmpty(t, r.Fix, r.Name)
			assert.False(t, strings.HasSuffix(r.Fix, ".."), r.Name)
		}
		_, err := json.Marshal(d.Metrics)
		require.NoError(t, err)
	}
}
