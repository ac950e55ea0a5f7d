package audit

import (
	"context"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fixture is a target whose reports are files in memory and whose tenant's
// OpenID configuration comes from a server on loopback.
type fixture struct {
	target config.Target
	env    check.Env
	files  map[string][]byte
	gone   bool // the folder cannot be read
}

func newFixture(t *testing.T, files map[string][]byte, openID http.HandlerFunc) *fixture {
	t.Helper()
	server := httptest.NewTLSServer(openID)
	t.Cleanup(server.Close)
	f := &fixture{files: files}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	openIDAt := strings.Replace(server.URL, "127.0.0.1", "example.com", 1) + "/{tenant}/.well-known/openid-configuration"
	f.target = config.Target{Name: "contoso", Tenant: tenant, CAFile: "ca.pem",
		ActiveSync: config.ActiveSync{URL: checktest.Setting[config.URL](mail)},
		Entra:      config.Entra{OpenIDConfiguration: checktest.Setting[config.TenantURL](openIDAt)}}
	f.env = check.Env{
		Reports: "reports",
		Now:     func() time.Time { return now },
		ReadDir: func(string) ([]string, error) {
			if f.gone {
				return nil, errors.New("permission denied")
			}
			return slices.Sorted(maps.Keys(f.files)), nil
		},
		ReadFile: func(name string, _ int64) ([]byte, error) {
			if name == "ca.pem" {
				return ca, nil
			}
			if text, ok := f.files[name]; ok {
				return text, nil
			}
			return nil, os.ErrNotExist
		},
		Dial: new(net.Dialer).DialContext,
		Resolve: func(context.Context, string, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	}
	return f
}

// result runs the check once.
func (f *fixture) result(t *testing.T) check.Result {
	t.Helper()
	parts, err := Configuration.New(f.target, f.env)
	require.NoError(t, err)
	require.NotNil(t, parts.Run)
	report, err := Configuration.Look(t.Context(), parts.Run)
	if err != nil {
		require.NotEqual(t, check.Internal, check.ClassOf(err), err)
	}
	for _, u := range report.Unjudged {
		require.NotEmpty(t, u.Why, u.Reason.Name)
	}
	return check.Result{Report: report, Err: err}
}

// tenantIn answers as Microsoft's sign-in service does for a tenant of a cloud.
func tenantIn(instance, subScope string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+tenant+"/.well-known/openid-configuration" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"issuer":"x","cloud_instance_name":%q,"tenant_region_sub_scope":%q}`, instance, subScope)
	}
}

// text renders a result as a person reads it.
func text(r check.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "outcome: %s\nerror: %v\n\nfindings:\n", r.Outcome(), r.Err)
	for _, f := range r.Report.Findings {
		fmt.Fprintf(&b, "  %s (%s) about %q: %s\n", f.Reason.Name, f.Reason.Severity, f.About, f.Detail)
	}
	b.WriteString("\nunjudged:\n")
	for _, u := range r.Report.Unjudged {
		fmt.Fprintf(&b, "  %s: %s\n", u.Reason.Name, u.Why)
	}
	b.WriteString("\nfacts:\n")
	for _, f := range r.Report.Facts {
		fmt.Fprintf(&b, "  %s %s: %s\n", f.Fact.Name, f.Subject, f.Value)
	}
	b.WriteString("\nsamples:\n")
	for _, s := range r.Report.Samples {
		fmt.Fprintf(&b, "  %s%v %.0f\n", s.Metric.Name, s.Labels, s.Value)
	}
	b.WriteString("\nnotes:\n")
	for _, n := range r.Report.Notes {
		fmt.Fprintf(&b, "  %s: %s\n", n.Kind, n.Text)
	}
	return b.String()
}

func TestWholeReport(t *testing.T) {
	mended := func(t *testing.T) map[string][]byte { return healthy(t) }
	broken := func(t *testing.T) map[string][]byte {
		return healthy(t,
			rules("DeviceType", "OutlookService", "Quarantine"),
			data(report.SectionOrganization, `[{"oAuth2ClientProfileEnabled":false}]`),
			of("EX02", data(report.SectionWebConfig, `[{"maxRequestLength":10240}]`)),
			of("EX02", failed(report.SectionIIS)),
			data(report.SectionHybrid, `[]`), absent(report.SectionOverrides),
			certs(cert(thumb, 20*day24, true)))
	}
	stale := func(t *testing.T) map[string][]byte { return healthy(t, made("2026-11-20T09:15:00Z")) }
	for name, c := range map[string]struct {
		files  func(*testing.T) map[string][]byte
		openID http.HandlerFunc
	}{
		"healthy": {mended, tenantIn(worldwide, "")},
		"broken":  {broken, tenantIn(worldwide, "GCC")},
		"stale":   {stale, http.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			got := text(newFixture(t, c.files(t), c.openID).result(t))
			golden := "testdata/" + name + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(string(want), got), "go test ./internal/audit -update rewrites it")
		})
	}
}

func TestOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		edits   []edit
		spoil   func(*fixture)
		outcome check.Outcome
	}{
		"healthy":                                   {nil, nil, check.Passed},
		"a warning":                                 {[]edit{data(report.SectionHybrid, `[]`)}, nil, check.Warned},
		"a critical finding":                        {[]edit{rules()}, nil, check.Failed},
		"a needed section failed":                   {[]edit{failed(report.SectionAccessRules)}, nil, check.Undecided},
		"a section of a warning failed":             {[]edit{failed(report.SectionWebConfig)}, nil, check.Passed}, // onprem_report tells
		"a finding beside a section that failed":    {[]edit{failed(report.SectionWebConfig), data(report.SectionHybrid, `[]`)}, nil, check.Warned},
		"a section of a warning is missing":         {[]edit{absent(report.SectionWebConfig)}, nil, check.Undecided},
		"it is missing on one server":               {[]edit{of("EX02", absent(report.SectionWebConfig))}, nil, check.Undecided},
		"it failed on one server, lacks on another": {[]edit{of("EX01", absent(report.SectionWebConfig)), of("EX02", failed(report.SectionWebConfig))}, nil, check.Undecided},
		"failed on the newest, missing elsewhere":   {[]edit{of("EX01", failed(report.SectionHybrid)), of("EX02", absent(report.SectionHybrid))}, nil, check.Undecided},
		"a section of a warning is null":            {[]edit{data(report.SectionCertificates, `null`)}, nil, check.Undecided},
		"null is not an empty list of rules":        {[]edit{data(report.SectionAccessRules, `null`)}, nil, check.Undecided},
		"a section in another form":                 {[]edit{data(report.SectionWebConfig, `["abc"]`)}, nil, check.Undecided},
		"a value that cannot be read":               {[]edit{data(report.SectionWebConfig, `[{"maxRequestLength":"abc"}]`)}, nil, check.Passed},
		"a section that names too little":           {[]edit{data(report.SectionDirectories, `[]`)}, nil, check.Undecided},
		"two sections alone":                        {[]edit{only(report.SectionAccessRules, report.SectionActiveSync)}, nil, check.Undecided},
		"a critical finding in such a report":       {[]edit{only(report.SectionAccessRules, report.SectionActiveSync), rules()}, nil, check.Failed},
		"overrides and endpoints may be missing":    {[]edit{absent(report.SectionOverrides), absent("migrationEndpoints")}, nil, check.Passed},
		"overrides in another form":                 {[]edit{data(report.SectionOverrides, `["abc"]`)}, nil, check.Undecided},
		"no server has the auth certificate":        {[]edit{certs()}, nil, check.Warned},
		"a needed section failed on one server":     {[]edit{of("EX01", failed(report.SectionAccessRules))}, nil, check.Passed},
		"all reports too old":                       {[]edit{made("2026-11-20T09:15:00Z")}, nil, check.Undecided},
		"an old report that would show a fault":     {[]edit{made("2026-11-20T09:15:00Z"), rules()}, nil, check.Undecided},
		"daily reports, two hours old":              {[]edit{every(24 * time.Hour), made("2026-11-22T07:20:00Z")}, nil, check.Passed},
		"daily reports, two days old":               {[]edit{every(24 * time.Hour), made("2026-11-20T09:15:00Z")}, nil, check.Undecided},
		"no reports":                                {nil, func(f *fixture) { f.files = nil }, check.Undecided},
		"the folder cannot be read":                 {nil, func(f *fixture) { f.gone = true }, check.Undecided},
		"only half-written reports":                 {nil, func(f *fixture) { f.files = map[string][]byte{"ex01.json": []byte(`{"schema":1,`)} }, check.Undecided},
		"the cloud cannot be asked for": {nil, func(f *fixture) {
			f.target.Entra.OpenIDConfiguration = checktest.Setting[config.TenantURL]("https://127.0.0.1:1/")
		}, check.Undecided},
		"no tenant is configured":                   {nil, func(f *fixture) { f.target.Tenant = "" }, check.Passed}, // its auth server is not known: that row is open
		"an expected server is silent":              {nil, func(f *fixture) { f.target.OnPrem.Report.Hosts = []string{"EX01", "EX02", "EX03"} }, check.Passed},
		"a critical finding beside what is unknown": {[]edit{failed(report.SectionActiveSync), rules("DeviceType", "OutlookService", "Block")}, nil, check.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, healthy(t, c.edits...), tenantIn(worldwide, ""))
			if c.spoil != nil {
				c.spoil(f)
			}
			r := f.result(t)
			assert.Equal(t, c.outcome, r.Outcome(), text(r))
			if r.Err != nil {
				want := check.ReportInput
				if name == "the cloud cannot be asked for" {
					want = check.Metadata
				}
				assert.Equal(t, want, check.ClassOf(r.Err))
				assert.NotContains(t, r.Err.Error(), "\n")
			}
		})
	}
}

func TestTheErrorNamesWhatIsNotJudged(t *testing.T) {
	r := newFixture(t, healthy(t, absent(report.SectionIIS), data(report.SectionWebConfig, `[7]`), data(report.SectionHybrid, `[]`)), http.NotFound).result(t)
	require.Error(t, r.Err)
	for _, part := range []string{"EX01: section webConfig: row 0: got a number", "EX02: section iis: the section is missing", "OpenID configuration: status 404"} {
		assert.Contains(t, r.Err.Error(), part)
	}
	assert.Equal(t, []*check.Reason{requestLengthTooSmall, tlsOffloadingConfigured, clientCertificateRequired, cloudUnsupported}, r.Report.Unevaluated())
	require.Len(t, r.Report.Findings, 1, "what could be judged stands beside the error")
	assert.Equal(t, hybridConfigurationMissing, r.Report.Findings[0].Reason)
}

func TestAHalfWrittenReportDoesNotHideTheGoodOneBefore(t *testing.T) {
	f := newFixture(t, healthy(t), tenantIn(worldwide, ""))
	parts, err := Configuration.New(f.target, f.env)
	require.NoError(t, err)
	_, err = Configuration.Look(t.Context(), parts.Run)
	require.NoError(t, err)
	f.files["ex01.json"] = f.files["ex01.json"][:200]
	report, err := Configuration.Look(t.Context(), parts.Run)
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
	assert.Empty(t, report.Unevaluated())
}

func TestNoReportsConfiguredIsNoCheck(t *testing.T) {
	parts, err := Configuration.New(config.Target{}, check.Env{})
	require.NoError(t, err)
	assert.Nil(t, parts.Run)
}

func TestABadCAFileIsAFaultOfTheConfig(t *testing.T) {
	f := newFixture(t, nil, http.NotFound)
	f.env.ReadFile = func(string, int64) ([]byte, error) { return []byte("no PEM"), nil }
	_, err := Configuration.New(f.target, f.env)
	var field *config.FieldError
	require.ErrorAs(t, err, &field)
	assert.Equal(t, "ca_file", field.Path)
}

func TestTheCloudIsNotAskedForTooLong(t *testing.T) {
	f := newFixture(t, healthy(t), func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"cloud_instance_name":"microsoftonline.com","x":"` + strings.Repeat("x", maxConfiguration) + `"}`))
	})
	r := f.result(t)
	assert.Equal(t, []*check.Reason{cloudUnsupported}, r.Report.Unevaluated())
}
