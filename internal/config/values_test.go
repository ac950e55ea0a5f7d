package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestValuesAreReadOnce(t *testing.T) {
	f, err := config.Parse("hmad.yaml", []byte(strings.Replace(six, "{url:", `{members: ["[::ffff:10.0.0.11]:443"], url:`, 1)+`    resolver: "[2001:db8::53]:53"
    connect_to: {"Mail.contoso.com:443": "[2001:db8::1]:8443"}
    onprem: {report: {listen: 0.0.0.0:9751, cert_file: a, key_file: b, token_file: c}, ldap: {url: ldaps://dc.contoso.com, bind_dn: d, password_file: e}}
`))
	require.NoError(t, err)
	got := f.Targets[0]
	assert.Equal(t, "mail.contoso.com", got.ActiveSync.URL.Value().Host)
	assert.Equal(t, "10.0.0.11:443", got.ActiveSync.Members[0].Value().String(), "an IPv4 address within an IPv6 one is the same")
	assert.Equal(t, "autodiscover.contoso.com", got.Autodiscover.Host.Name)
	assert.Equal(t, "2001:db8::53", got.Resolver.Host)
	assert.Equal(t, uint16(53), got.Resolver.Port)
	assert.Equal(t, "[2001:db8::1]:8443", got.ConnectTo[0].To.String())
	assert.Equal(t, uint16(9751), got.OnPrem.Report.Listen.Value().Port())
	assert.Equal(t, "dc.contoso.com:636", got.OnPrem.LDAP.URL.Value().Host, "with the port of its scheme")
	assert.Equal(t, "/"+got.Tenant+"/v2.0/.well-known/openid-configuration", got.Entra.OpenIDConfiguration.Of(got.Tenant).Path)
	assert.Nil(t, got.Proxy.Value())
	assert.Nil(t, got.Metadata.URL.Of(got.Tenant))
	assert.True(t, got.TLSOffload.URL.IsZero())
	assert.Equal(t, "proxy.contoso.com:80", checktest.Setting[config.Proxy]("http://proxy.contoso.com").Value().Host)
}

func TestWhoeverChangesAURLChangesACopy(t *testing.T) {
	u := checktest.Setting[config.URL]("https://mail.contoso.com/a")
	u.Value().Path = "/b"
	assert.Equal(t, "/a", u.Value().Path)
}

// The text is what the file says, letter by letter, and what the file leaves
// out stays left out.
func TestAConfigIsWrittenAsItWasRead(t *testing.T) {
	text := strings.Replace(six, "{url:", `{members: ["10.0.0.11:443"], url:`, 1) + `    resolver: 10.0.0.53:53
    connect_to: {"Mail.contoso.com:0443": "192.0.2.10:443", "a.contoso.com:443": "b.contoso.com:443"}
    metadata: {url: "https://login.contoso.com/{tenant}/fm.xml"}
`
	f, err := config.Parse("hmad.yaml", []byte(text))
	require.NoError(t, err)
	shown, err := f.Show()
	require.NoError(t, err)
	for _, want := range []string{"url: https://mail.contoso.com/Microsoft-Server-ActiveSync\n", "- 10.0.0.11:443\n", "resolver: 10.0.0.53:53\n",
		"Mail.contoso.com:0443: 192.0.2.10:443\n        a.contoso.com:443: b.contoso.com:443\n", "url: https://login.contoso.com/{tenant}/fm.xml\n"} {
		assert.Contains(t, string(shown), want)
	}
	for _, out := range []string{"proxy:", "redirect_hosts:", "ldap:", "listen:", "tls_offload:\n      url"} {
		assert.NotContains(t, string(shown), out)
	}
	again, err := config.Parse("hmad.yaml", shown)
	require.NoError(t, err)
	assert.Equal(t, f.Targets, again.Targets)
}

// What a validator refuses may hold a secret: it stands neither in the error nor
// in the value.
func TestARefusedValueIsNotShown(t *testing.T) {
	at := func(setting string) string { return six + "    " + setting + "\n" }
	for name, text := range map[string]string{
		"a proxy that is no URL":         at(`proxy: "http://svc:planted%zz@proxy:3128"`),
		"a proxy with a query":           at(`proxy: http://proxy:3128/?token=planted`),
		"a resolver with credentials":    at(`resolver: svc:planted@10.0.0.53:53`),
		"a directory with credentials":   at(`onprem: {ldap: {url: "ldaps://cn=hmad:planted@dc.contoso.com", bind_dn: x, password_file: y}}`),
		"a query of a URL":               strings.Replace(six, "https://mail.contoso.com/Microsoft-Server-ActiveSync", "'https://mail.contoso.com/a?token=planted'", 1),
		"a fragment of a URL":            strings.Replace(six, "https://mail.contoso.com/Microsoft-Server-ActiveSync", "'https://mail.contoso.com/a#planted'", 1),
		"a query of a template":          at(`metadata: {url: "https://login.contoso.com/{tenant}?code=planted"}`),
		"a host with credentials":        strings.Replace(six, "{host: ", "{host: svc:planted@", 1),
		"a member with credentials":      strings.Replace(six, "{url:", `{members: ["svc:planted@10.0.0.11:443"], url:`, 1),
		"connect_to from a URL":          at(`connect_to: {"https://svc:planted@mail.contoso.com:443": "192.0.2.10:443"}`),
		"connect_to from one with query": at(`connect_to: {"https://mail.contoso.com/?planted": "192.0.2.10:443"}`),
		"connect_to to a URL":            at(`connect_to: {"mail.contoso.com:443": "https://svc:planted@mail.contoso.com"}`),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := config.Parse("hmad.yaml", []byte(text))
			require.Error(t, err)
			assert.Contains(t, err.Error(), "hmad.yaml:", "file and line")
			assert.Contains(t, err.Error(), ", want ")
			for _, shown := range []string{err.Error(), fmt.Sprintf("%v %+v", f.Targets, f.Targets)} {
				assert.NotContains(t, shown, "planted")
			}
		})
	}
}

func TestAListForATypedValueIsNoText(t *testing.T) {
	for setting, want := range map[string]string{
		"proxy: [a]":       "got a list, want a text",
		"connect_to: here": `got "here", want a mapping`,
		"resolver: {a: b}": "got a mapping, want a text",
	} {
		_, err := config.Parse("hmad.yaml", []byte(six+"    "+setting+"\n"))
		require.ErrorContains(t, err, want, setting)
	}
}

func TestASecretShowsItselfNowhere(t *testing.T) {
	s := config.NewSecret("planted")
	assert.Equal(t, "planted", s.Reveal())
	assert.Empty(t, config.Secret{}.Reveal())
	type holder struct {
		Shown  config.Secret
		hidden config.Secret
		to     *config.Secret
	}
	h := holder{s, s, &s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p"} {
		for _, v := range []any{s, &s, h, &h, []config.Secret{s}, map[string]config.Secret{"a": s}} {
			got := fmt.Sprintf(verb, v)
			assert.NotContains(t, got, "planted", verb)
			assert.NotContains(t, got, fmt.Sprintf("%x", "planted"), verb)
		}
	}
	for name, marshal := range map[string]func(any) ([]byte, error){"JSON": json.Marshal, "YAML": yaml.Marshal} {
		data, err := marshal(map[string]any{"a": s, "b": &s, "c": h})
		require.NoError(t, err, name)
		assert.NotContains(t, string(data), "planted", name)
		assert.Contains(t, string(data), "(secret)", name)
	}
}
