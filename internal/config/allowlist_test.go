package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/config"
)

func TestCloudAutodiscoverSettings(t *testing.T) {
	for name, c := range map[string]struct{ text, fault string }{
		"set": {"{tenant_domain: contoso.onmicrosoft.com, mailboxes: [a@contoso.com, b@fabrikam.com]}", ""},
		"two of a domain": {"{mailboxes: [a@contoso.com, b@Contoso.com]}",
			"hmad.yaml:7: targets[0].cloud_autodiscover.mailboxes[1]: want one mailbox of each domain, and one before has this domain"},
		"no address":         {"{mailboxes: [joe]}", "hmad.yaml:7: targets[0].cloud_autodiscover.mailboxes[0]: want the address of a mailbox"},
		"an address in full": {"{absent_name: x@contoso.com}", "hmad.yaml:7: targets[0].cloud_autodiscover.absent_name: got a value that is withheld, because it may hold a secret, want letters, digits, '.', '-' and '_'"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("hmad.yaml", []byte(six+"    cloud_autodiscover: "+c.text+"\n"))
			if c.fault == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.fault)
		})
	}
}

func TestAllowListSettings(t *testing.T) {
	for name, c := range map[string]struct{ text, want, fault string }{
		"left out": {"", "https://endpoints.office.com", ""},
		"another service": {"    allow_list: {endpoints: https://mirror.contoso.com, extra: [192.0.2.7/24]}\n",
			"https://mirror.contoso.com", ""},
		"a bad range": {"    allow_list: {extra: [192.0.2.0/33]}\n", "",
			"hmad.yaml:7: targets[0].allow_list.extra[0]: got a value that is withheld, because it may hold a secret, want a range such as 192.0.2.0/24"},
		"no list": {"    allow_list: {extra: 192.0.2.0/24}\n", "", "hmad.yaml:7: targets[0].allow_list.extra: got a value that is withheld, because it may hold a secret, want a list of texts"},
		"a service without TLS": {"    allow_list: {endpoints: http://endpoints.office.com}\n", "",
			`hmad.yaml:7: targets[0].allow_list.endpoints: got "http://endpoints.office.com", want an https URL without query`},
		"a negative time": {"    allow_list: {every: -1s}\n", "", "hmad.yaml:7: targets[0].allow_list.every: got -1s, want a duration of at least 0"},
		"a version of nothing": {"    allow_list: {version_file: /v.json}\n", "",
			"hmad.yaml:7: targets[0].allow_list.version_file: got a version without endpoints_file, want the file that it is the version of"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := config.Parse("hmad.yaml", []byte(six+c.text))
			if c.fault != "" {
				require.EqualError(t, err, c.fault)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, f.Targets[0].AllowList.Endpoints.String())
			for _, p := range f.Targets[0].AllowList.Extra {
				assert.Equal(t, "192.0.2.0/24", p.Value().String())
			}
		})
	}
}
