package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

const credential = "client_id: 3f0b9b4e-1f0e-4b57-9c70-0c4c3f1d2a55, secret_file: /run/secret"

func TestExchangeOnlineIsTheWorldwideCloudUnlessSet(t *testing.T) {
	f, err := config.Parse("hmad.yaml", []byte(six))
	require.NoError(t, err)
	got := f.Targets[0].ExchangeOnline
	assert.False(t, got.Configured(), "defaults are no credential")
	assert.Equal(t, config.ExchangeOnline{App: config.App{AuthorityHost: checktest.Setting[config.URL]("https://login.microsoftonline.com/")},
		Host:  checktest.Setting[config.URL]("https://outlook.office365.com"),
		Scope: checktest.Setting[config.URL]("https://outlook.office365.com/.default"), Rate: 2, Concurrency: 4}, got)

	f, err = config.Parse("hmad.yaml", []byte(six+"    exchange_online: {"+credential+
		", host: https://outlook.office365.us, scope: https://outlook.office365.us/.default, rate: 0.5, concurrency: 1}\n"))
	require.NoError(t, err)
	got = f.Targets[0].ExchangeOnline
	assert.True(t, got.Configured())
	assert.Equal(t, "https://outlook.office365.us", got.Host.String())
	assert.Equal(t, "https://outlook.office365.us/.default", got.Scope.String())
	assert.Equal(t, 0.5, got.Rate)
	assert.Equal(t, 1, got.Concurrency)
}

func TestFaultsOfExchangeOnline(t *testing.T) {
	for name, c := range map[string]struct{ set, want string }{
		"a host by http":          {"host: http://outlook.office365.com", `exchange_online.host: got "http://outlook.office365.com", want an https URL without query`},
		"a host with a path":      {"host: https://outlook.office365.com/adminapi", `exchange_online.host: got "https://outlook.office365.com", want a URL without path, such as https://outlook.office365.com`},
		"a host with credentials": {"host: 'https://me:hunter2@outlook.office365.com'", `exchange_online.host: got a URL with credentials, want one without`},
		"a scope without default": {"scope: https://outlook.office365.com/Exchange.Manage", `exchange_online.scope: got "https://outlook.office365.com", want a scope that ends in /.default`},
		"a negative rate":         {"rate: -1", `exchange_online.rate: got -1, want calls per second, over 0 and at most 50`},
		"a rate out of range":     {"rate: 1000", `exchange_online.rate: got 1000, want calls per second, over 0 and at most 50`},
		"a rate that is none":     {"rate: .nan", `exchange_online.rate: got NaN, want calls per second, over 0 and at most 50`},
		"a word for a rate":       {"rate: fast", `got "fast", want a number`},
		"too many calls at once":  {"concurrency: 100", `exchange_online.concurrency: got 100, want 1 to 32 calls at once`},
		"no app":                  {"client_id: '', secret_file: x", `exchange_online.client_id: got "", want the app registration's id, a GUID`},
		"two credentials":         {credential + ", managed_identity: true", `exchange_online: got 2 credentials, want one of certificate_file, managed_identity, workload_identity_file, secret_file`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("hmad.yaml", []byte(six+"    exchange_online: {"+c.set+"}\n"))
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotContains(t, err.Error(), "\n", "one fault, told once")
		})
	}
}

func TestTargetsOfATenantShareItsBudget(t *testing.T) {
	for name, c := range map[string]struct {
		first, second string
		change        []string // of the second target: old, new
		want          string   // empty: in order
	}{
		"the same":                           {credential + ", rate: 5", credential + ", rate: 5", nil, ""},
		"the same, once by default":          {credential, credential + ", rate: 2, concurrency: 4", nil, ""},
		"another rate":                       {credential + ", rate: 5", credential, nil, "hmad.yaml:13: targets[1].exchange_online.rate: got 2 for target other, want 5, as for target contoso: they share the budget of their tenant"},
		"another rate, the id in other case": {credential, credential + ", rate: 5", []string{"5de110f8", "5DE110F8"}, "exchange_online.rate: got 5 for target other, want 2, as for target contoso"},
		"other calls at once":                {credential, credential + ", concurrency: 1", nil, "targets[1].exchange_online.concurrency: got 1 for target other, want 4, as for target contoso: they share the budget of their tenant"},
		"another tenant":                     {credential, credential + ", rate: 5", []string{"5de110f8", "6de110f8"}, ""},
		"a target that never calls":          {credential, "rate: 5", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			change := append([]string{"targets:\n", "", "name: contoso", "name: other"}, c.change...)
			second := strings.NewReplacer(change...).Replace(six)
			_, err := config.Parse("hmad.yaml", []byte(six+"    exchange_online: {"+c.first+"}\n"+second+"    exchange_online: {"+c.second+"}\n"))
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

// The app whose token is shown to Exchange has nothing to do with the others, which
// have permissions.
func TestTokenAcceptanceWantsAnAppOfItsOwn(t *testing.T) {
	const app = "client_id: 7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11, secret_file: /run/secret"
	_, err := config.Parse("hmad.yaml", []byte(six+"    exchange_online: {"+app+"}\n    token_acceptance: {"+app+"}\n"))
	require.ErrorContains(t, err, "token_acceptance.client_id: got the app of another section")
	_, err = config.Parse("hmad.yaml", []byte(six+"    exchange_online: {"+app+"}\n    token_acceptance: {client_id: 8c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11, secret_file: /run/other}\n"))
	require.NoError(t, err)
	_, err = config.Parse("hmad.yaml", []byte(six+"    token_acceptance: {"+app+", managed_identity: true, url: \"http://mail.contoso.com/\"}\n    graph: {host: \"https://graph.microsoft.com/v1.0\"}\n"))
	for _, text := range []string{"got 2 credentials", "token_acceptance.url", "graph.host"} {
		assert.ErrorContains(t, err, text)
	}
}
