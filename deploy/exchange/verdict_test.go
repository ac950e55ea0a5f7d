package collector

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/audit"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/metadata"
	"github.com/hmad/hmad/internal/report"
	mailboxes "github.com/hmad/hmad/internal/sync"
)

// judges are the checks that judge by the report.
var judges = []*check.Def{metadata.EvoSTSMetadata, metadata.MetadataRefresh, audit.Configuration, metadata.OnPremReport, mailboxes.OnPremSync}

// said returns what hmad says of a report, a line for each check: the reasons that
// it finds, and those that it cannot tell, after a question mark. A check that finds
// nothing and can tell all has no line.
func said(t *testing.T, data []byte) map[string]string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ex01.json"), data, 0o600))
	r, err := report.Decode(data)
	require.NoError(t, err)
	target, env := estate(t, folder, r)
	all := map[string]string{}
	for _, d := range judges {
		settings := target
		if d != mailboxes.OnPremSync {
			settings.ExchangeOnline = config.ExchangeOnline{} // no tenant is asked
		}
		parts, err := d.New(settings, env)
		require.NoError(t, err)
		require.NotNil(t, parts.Run, d.Name)
		if parts.Begin != nil {
			parts.Begin()
		}
		r, err := d.Look(t.Context(), parts.Run)
		if line := sentence(r, err); line != "" {
			all[d.Name] = line
		}
	}
	return all
}

// sentence returns a verdict in few words.
func sentence(r check.Report, err error) string {
	var words []string
	for _, f := range r.Findings {
		words = append(words, f.Reason.Name)
	}
	slices.Sort(words)
	var classed *check.Error
	if errors.As(err, &classed) {
		words = append(words, "?"+classed.Class.String())
	} else if err != nil {
		words = append(words, "?")
	}
	return strings.Join(words, " ")
}

// estate is the target whose servers the test bed stands for, and the world in which
// it is judged: a minute after the report, and Microsoft publishes the certificates
// that the report has.
func estate(t *testing.T, folder string, r report.Report) (config.Target, check.Env) {
	t.Helper()
	ca := checktest.NewCA(t)
	port := checktest.Serve(t, ca, "login.windows.net", http.HandlerFunc(published(r)))
	file, err := config.Parse("hmad.yaml", fmt.Appendf(nil, `targets:
  - name: contoso
    mailbox: a@contoso.com
    tenant: 5de110f8-2e0f-4d45-891d-bcf2218e253d
    autodiscover: {host: autodiscover.contoso.com}
    activesync: {url: https://mail.contoso.com/Microsoft-Server-ActiveSync}
    ca_file: %q
    metadata: {url: "https://login.windows.net:%s/federationmetadata.xml"}
    onprem: {report: {file: %q}}
    exchange_online: {client_id: 11111111-1111-1111-1111-111111111111, secret_file: %q}
    sync: {inventory: true, watch: [{mailbox: a@contoso.com}, {mailbox: b@contoso.com}]}
`, ca.File, port, folder, checktest.Written(t, "secret", "secret")))
	require.NoError(t, err)
	env := checktest.Env(func() time.Time { return r.GeneratedAt.Add(time.Minute) })
	env.Reports, env.Memory = folder, new(checktest.Memory)
	env.Table = func(...*check.Metric) check.Table { return noTable{} }
	return file.Targets[0], env
}

// published answers with a metadata document of a report's certificates.
func published(r report.Report) http.HandlerFunc {
	var keys strings.Builder
	servers, _ := r.AuthServers() // none where the section failed
	for _, s := range servers {
		for _, der := range s.Certificates {
			fmt.Fprintf(&keys, `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`, base64.StdEncoding.EncodeToString(der))
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://sts.windows.net/5de110f8-2e0f-4d45-891d-bcf2218e253d/">`+
			`<RoleDescriptor xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706" xsi:type="fed:SecurityTokenServiceType">%s</RoleDescriptor></EntityDescriptor>`, &keys)
	}
}

type noTable struct{}

func (noTable) Set(string, ...float64) {}
func (noTable) Delete(string)          {}
func (noTable) Keep(func(string) bool) {}
func (noTable) Dropped(int)            {}
