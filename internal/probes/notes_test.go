package probes

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestTheNotesTellHowToRepeatTheRequestAndWhatCame(t *testing.T) {
	ca := newAuthority(t, "contoso root", nil)
	to := serveTLS(t, ca.leaf(t, nil), answers("HTTP/1.1 302 Found\r\n"+
		"Www-Authenticate: Bearer client_id=\"x\"\r\nWWW-AUTHENTICATE: Basic realm=\"a\xffb\"\r\n"+
		"Location: https://mail.contoso.test/a?Email=hmad-probe@contoso.com\r\n"+
		"Set-Cookie: NSC_TMAA=very-secret; path=/\r\n"+
		"X-Long: "+strings.Repeat("a", 2000)+"\r\nContent-Length: 0\r\n\r\n"))
	r := testRoute(t, ca, to)
	u := testURL(t, "https://"+testHost+"/autodiscover?Email=hmad-probe%40contoso.com&Protocol=activesync")
	ws, _, _, err := r.ways(t.Context(), u)
	require.NoError(t, err)
	v, err := r.visit(t.Context(), ws[0], r.get(u, "Authorization", "Bearer", "X-User-Identity", "o'neill@contoso.com"))
	require.NoError(t, err)
	require.Len(t, v.Chain, 1)
	assert.Equal(t, []string{
		"curl -sS -i --http1.1 -m 20 --connect-to mail.contoso.test:443:" + to.String() + " --cacert ca.pem" +
			" -H Accept: -H 'Authorization: Bearer' -H 'User-Agent: hmad/test' -H 'X-User-Identity: o'\\''neill@contoso.com'" +
			" 'https://mail.contoso.test/autodiscover?Email=hmad-probe%40contoso.com&Protocol=activesync'",
		"connection: " + to.String() + ", TLS 1.3, certificate for mail.contoso.test of CN=contoso root until " + check.Moment(v.Chain[0].NotAfter),
		"HTTP/1.1 302 Found",
		"Content-Length: 0",
		"Location: https://mail.contoso.test/a?…",
		"Set-Cookie: NSC_TMAA=…",
		`Www-Authenticate: Bearer client_id="x"`,
		`Www-Authenticate: Basic realm="a\xffb"`,
		"X-Long: " + strings.Repeat("a", 1021) + "…",
	}, judged(ActiveSync, v.note).notes)
}

func TestTheNotesOfAnAnswerAreBounded(t *testing.T) {
	a := &Answer{Proto: "HTTP/1.1", Status: 200, Header: http.Header{"X-Many": make([]string, 100)}}
	notes := a.notes()
	assert.Len(t, notes, 1+maxNoteHeaders+1)
	assert.Equal(t, "… more headers", notes[len(notes)-1])
	a.Header["X-Many"] = make([]string, maxNoteHeaders)
	assert.Len(t, a.notes(), 1+maxNoteHeaders)
}

func TestTheCurlLineGoesTheConfiguredWay(t *testing.T) {
	tests := map[string]struct {
		target  config.Target
		address string
		want    string
	}{
		"to an IPv6 address": {config.Target{}, "[2001:db8::1]:443", "--connect-to 'mail.contoso.test:443:[2001:db8::1]:443' -H"},
		"through a proxy":    {config.Target{Proxy: checktest.Setting[config.Proxy]("http://proxy.contoso.test:3128")}, "", "-m 20 --proxy http://proxy.contoso.test:3128 -H"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := newRoute(test.target, testEnv(nil))
			require.NoError(t, err)
			v := Visit{route: r, way: way{host: testHost, port: "443"}}
			if test.address != "" {
				v.Address = netip.MustParseAddrPort(test.address)
			}
			assert.Contains(t, v.curl(r.get(testURL(t, "https://"+testHost+"/"))), test.want)
		})
	}
}

func TestSamplesNameTheAddressOnlyAmongSeveral(t *testing.T) {
	r, err := newRoute(config.Target{}, testEnv(nil))
	require.NoError(t, err)
	at := func(host, address string) Visit {
		return Visit{Host: host, Address: netip.MustParseAddrPort(address), route: r, Phases: Phases{DNS: time.Second}}
	}
	label := func(host, address string) check.Sample {
		return check.Sample{Metric: check.Phase, Value: 1, Labels: []string{"dns", host, address}}
	}
	assert.Equal(t, []check.Sample{
		label("a.contoso.test", "192.0.2.1:443"), label("a.contoso.test", "192.0.2.2:443"), label("b.contoso.test", ""),
	}, samples([]Visit{
		at("a.contoso.test", "192.0.2.1:443"), at("a.contoso.test", "192.0.2.2:443"),
		at("b.contoso.test", "192.0.2.3:443"), at("b.contoso.test", "192.0.2.3:443"), at("a.contoso.test", "192.0.2.1:443"),
	}))
}

func TestNoHeaderShowsCredentialsOrAQuery(t *testing.T) {
	for name, c := range map[string]struct{ header, value, want string }{
		"credentials":            {"Location", "https://svc:S3cret@mail.contoso.com/a", "https://mail.contoso.com/a"},
		"a query and a fragment": {"Location", "https://mail.contoso.com/a?S3cret#S3cret", "https://mail.contoso.com/a?…"},
		"a fragment":             {"Content-Location", "/a#S3cret", "/a"},
		"no URL":                 {"X-Ms-Location", "https://svc:S3cret%zz@mail.contoso.com", "(not a URL)"},
		"a refresh":              {"Refresh", "5; url=https://svc:S3cret@mail.contoso.com/a?S3cret", "5; url=https://mail.contoso.com/a?…"},
		"a refresh of this page": {"Refresh", "5", "5"},
		"a cookie":               {"Set-Cookie", "a=S3cret", "a=…"},
		"links": {"Link", `<https://svc:S3cret@cdn.contoso.com/a?S3cret>; rel="x", <https://cdn.contoso.com/{b}>`,
			`<https://cdn.contoso.com/a?…>; rel="x", <https://cdn.contoso.com/{b}>`},
		"a challenge": {"Www-Authenticate", `Bearer authorization_uri="https://login.windows.net/common?S3cret"`,
			`Bearer authorization_uri="https://login.windows.net/common?…"`},
		"a header without secret": {"Server", "nginx", "nginx"},
	} {
		assert.Equal(t, c.want, guard(c.header, c.value), name)
	}
}
