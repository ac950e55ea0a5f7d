package metadata

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/report"
)

func server(name, kind, realm string, enabled, standard bool) map[string]any {
	return map[string]any{"name": name, "type": kind, "realm": realm, "enabled": enabled, "isDefaultAuthorizationEndpoint": standard, "certificateStrings": []string{}}
}

func TestAuthServers(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		want   string
		detail string
	}{
		"one, healthy, beside ACS": {func(w *world) {
			w.others = []map[string]any{server("ACS - {GUID}", "MicrosoftACS", testTenant, true, false)}
		}, "good", ""},
		"under a name of its own": {func(w *world) { w.server["name"] = "Contoso" }, "good", ""},
		"realm and type in another case": {func(w *world) {
			w.server["type"], w.server["realm"] = "azuread", strings.ToUpper(testTenant)
		}, "good", ""},
		"none": {func(w *world) { w.server = nil }, "auth_server_missing", "it shows none"},
		"that of another tenant, called EvoSts": {func(w *world) {
			w.server["name"], w.server["realm"] = "EvoSts", otherTenant
		}, "auth_server_missing", "EvoSts (AzureAD, realm " + otherTenant + ")"},
		"ACS alone": {func(w *world) { w.server["type"] = "MicrosoftACS" }, "auth_server_missing", "(MicrosoftACS"},
		"disabled":  {func(w *world) { w.server["enabled"] = false }, "auth_server_disabled", evoSTS},
		"no default": {func(w *world) { w.server["isDefaultAuthorizationEndpoint"] = false },
			"default_endpoint_missing", "no enabled auth server is the default; the tenant's is " + evoSTS},
		"ADFS is the default": {func(w *world) {
			w.server["isDefaultAuthorizationEndpoint"] = false
			w.others = []map[string]any{server("adfs", "ADFS", "", true, true)}
		}, "default_endpoint_missing", "the default is adfs (ADFS"},
		"two defaults": {func(w *world) {
			w.others = []map[string]any{server("adfs", "ADFS", "", true, true)}
		}, "default_endpoint_ambiguous", "2 auth servers are the default"},
		"a second default that is disabled": {func(w *world) {
			w.others = []map[string]any{server("adfs", "ADFS", "", false, true)}
		}, "good", ""},
		"the metadata of another tenant": {func(w *world) {
			w.documents[testURL] = federationXML("https://sts.windows.net/"+otherTenant+"/", w.published)
		}, "realm_mismatch", "is of https://sts.windows.net/" + otherTenant},
		"another issuer": {func(w *world) { w.server["issuerIdentifier"] = "https://sts.example/" + testTenant + "/" },
			"realm_mismatch", "has the issuer https://sts.example/"},
		"an issuer without its final slash": {func(w *world) { w.server["issuerIdentifier"] = strings.TrimRight(testIssuer, "/") }, "good", ""},
		"seven certificates":                {func(w *world) { w.published = newDERs(t, 7); w.stored = w.published }, "good", ""},
		"eight certificates":                {func(w *world) { w.published = newDERs(t, 8); w.stored = w.published }, "certificate_limit", "8 certificates"},
		"eleven certificates, all stored": {func(w *world) { w.published = newDERs(t, 11); w.stored = w.published }, "certificate_limit", "over " +
			"10 Exchange stores none"},
		"stored twice and in another order": {func(w *world) { w.stored = append([][]byte{w.stored[2], w.stored[2]}, w.stored...) }, "good", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			r := w.run()
			require.Equal(t, tc.want, outcome(r))
			if tc.detail != "" {
				assert.Contains(t, r.Report.Findings[0].Detail, tc.detail)
			}
			// What follows from a missing auth server is not judged; no
			// credential, no verdict on keys.
			assert.Contains(t, r.Report.Unevaluated(), signingKeyMissing)
			stops := strings.HasPrefix(tc.want, "auth_server")
			assert.Equal(t, stops, len(r.Report.Unevaluated()) > 1, reasonNames(r.Report.Unevaluated()))
		})
	}
}

func TestEveryEnabledAuthServerIsCompared(t *testing.T) {
	w := newWorld(t)
	old := server("EvoSts", "AzureAD", testTenant, true, false)
	old["certificateStrings"] = w.stored[:2]
	w.others = []map[string]any{old}
	w.run()
	w.now = w.now.Add(9 * time.Hour)
	r := w.run()
	require.Equal(t, "metadata_stale", outcome(r))
	assert.Contains(t, r.Report.Findings[0].Detail, "in EvoSts, for 9 h")
	missing, _ := sample(r, Certificates, "EvoSts", "missing")
	none, _ := sample(r, Certificates, evoSTS, "missing")
	assert.Equal(t, []float64{1, 0}, []float64{missing, none})
}

func TestMissingDataIsNeverGood(t *testing.T) {
	for name, tc := range map[string]struct {
		change      func(*world)
		want        string
		says        string
		unevaluated int
	}{
		"no report":           {func(w *world) { w.hosts = nil }, "error:report", "no on-premises report", 9},
		"the section is null": {func(w *world) { w.hosts["MBX01"]["authServers"] = ok(nil) }, "error:report", "its data is null", 9},
		"no certificates are reported": {func(w *world) {
			w.hosts["MBX01"]["authServers"] = ok([]any{map[string]any{"name": "x", "type": "AzureAD", "realm": testTenant, "enabled": true, "isDefaultAuthorizationEndpoint": true}})
		}, "error:report", "certificateStrings: missing", 9},
		"no certificate is shown": {func(w *world) { w.stored = [][]byte{} }, "error:report", "no auth server shows a certificate", 9},
		"the section could not be read": {func(w *world) {
			w.hosts["MBX01"]["authServers"] = failed("Access is " +
				"denied.")
		}, "error:report", "Access is denied.", 9},
		"a section that is no list": {func(w *world) { w.hosts["MBX01"]["authServers"] = ok(7) }, "error:report", "want an object", 9},
		"a report over three intervals": {func(w *world) { w.written = w.now.Add(-46 * time.Minute) }, "error:report", "MBX01: its report of " +
			"2026-11-22 11:14 UTC is over 45 min old", 9},
		"a report of three intervals":      {func(w *world) { w.written = w.now.Add(-45 * time.Minute) }, "good", "", 1},
		"a daily report of two hours":      {func(w *world) { w.every, w.written = 24*time.Hour, w.now.Add(-2*time.Hour) }, "good", "", 1},
		"a daily report of three hours":    {func(w *world) { w.every, w.written = 24*time.Hour, w.now.Add(-3*time.Hour) }, "error:report", "MBX01: its report of 2026-11-22 09:00 UTC is over 2 h old", 9},
		"a report dated next year":         {func(w *world) { w.written = w.now.AddDate(1, 0, 0) }, "error:report", "dated in the future", 9},
		"a report a little ahead":          {func(w *world) { w.written = w.now.Add(2 * time.Minute) }, "good", "", 1},
		"the document cannot be reached":   {func(w *world) { w.published = nil }, "error:metadata", "connection refused", 5},
		"neither side":                     {func(w *world) { w.published = nil; w.hosts = nil }, "error:report", "connection refused", 9},
		"a metadata address without https": {func(w *world) { w.server["authMetadataUrl"] = "http://login.windows.net/x" }, "error:metadata", "want an https URL", 5},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			r := w.run()
			require.Equal(t, tc.want, outcome(r))
			assert.Len(t, r.Report.Unevaluated(), tc.unevaluated, reasonNames(r.Report.Unevaluated()))
			if tc.says != "" {
				require.ErrorContains(t, r.Err, tc.says)
				_, there := sample(r, Certificates, evoSTS, "missing")
				assert.False(t, there, "no count of what was not seen")
			}
		})
	}
}

func TestTheOtherHostStandsIn(t *testing.T) {
	w := newWorld(t)
	w.hosts["MBX01"]["authServers"] = failed("Access is denied.")
	w.hosts["MBX02"] = map[string]any{}
	assert.Equal(t, "good", outcome(w.run()))
}

func TestSigningKey(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		want   string
		judged bool
	}{
		"stored":                      {func(w *world) { w.signing = w.stored[0] }, "good", true},
		"stored, published no more":   {func(w *world) { w.signing = w.stored[0]; w.published = w.published[1:] }, "good", true},
		"published, not stored":       {func(w *world) { w.signing = w.published[0]; w.stored = w.stored[1:] }, "signing_key_missing error:state", true},
		"neither, an application's":   {func(w *world) { w.signing = newDER(t, "own", noon) }, "good", false},
		"no token, no key of the day": {func(w *world) { w.signing = []byte{} }, "error:token", false},
		"only the OpenID keys have it": {func(w *world) {
			w.signing = newDER(t, "new", noon)
			w.target.Entra.OpenIDConfiguration = checktest.Setting[config.TenantURL]("https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration")
			w.documents["https://login.microsoftonline.com/"+testTenant+"/v2.0/.well-known/openid-configuration"] = `{"issuer":"i","jwks_uri":"https://login.microsoftonline.com/keys"}`
			w.documents["https://login.microsoftonline.com/keys"] = fmt.Sprintf(`{"keys":[{"use":"sig","x5t":%q}]}`, keyIDFor(ThumbprintOf(w.signing)))
		}, "signing_key_missing", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			r := w.run()
			require.Equal(t, tc.want, outcome(r))
			assert.Equal(t, !tc.judged, strings.Contains(strings.Join(reasonNames(r.Report.Unevaluated()), " "), "signing_key_missing"))
		})
	}
}

func TestAKeyCountsForADay(t *testing.T) {
	w := newWorld(t)
	w.signing = w.published[0]
	w.run()
	w.check.keyID = func(context.Context) (signature, error) {
		return signature{}, check.Errorf(check.Token, "AADSTS700027")
	}
	w.stored = w.stored[1:]
	w.now = w.now.Add(step)
	r := w.run()
	require.Equal(t, "signing_key_missing", outcome(r))
	assert.Contains(t, strings.Join(r.Report.Texts(), "\n"), "AADSTS700027")
	w.now = w.now.Add(24 * time.Hour)
	assert.Equal(t, "metadata_long_stale error:token", outcome(w.run()))
}

// directory adds a directory beside, or instead of, the report.
func (w *world) directory(servers []report.AuthServer, err error) {
	w.check = buildEvoSTS(w.target, w.env(), w.fetch)
	w.check.sources.directory = func(context.Context) ([]report.AuthServer, error) { return servers, err }
}

func TestTwoSources(t *testing.T) {
	for name, tc := range map[string]struct {
		report    bool
		change    func(*world, *report.AuthServer) error
		want      string
		notes     []string
		timelined string
	}{
		"they agree": {report: true, want: "good", timelined: "by the report of MBX01"},
		"a certificate more in the report": {report: true, change: func(_ *world, a *report.AuthServer) error { a.Certificates = a.Certificates[1:]; return nil },
			want: "good", notes: []string{"disagree: only the first has the certificate"}},
		"a certificate more in the directory": {report: true, change: func(w *world, _ *report.AuthServer) error { w.stored = w.stored[1:]; return nil },
			want: "error:state", notes: []string{"disagree: only the second has the certificate"}},
		"the directory shows it disabled": {report: true, change: func(_ *world, a *report.AuthServer) error { a.Enabled = false; return nil },
			want: "good", notes: []string{evoSTS + " is enabled and the default there and disabled and the default here"}},
		"the directory has none": {report: true, change: func(_ *world, a *report.AuthServer) error { a.Realm = otherTenant; return nil },
			want: "good", notes: []string{"only the first has the auth server " + evoSTS}},
		"the directory fails": {report: true, change: func(*world, *report.AuthServer) error { return errors.New("invalid credentials") },
			want: "good", notes: []string{"the directory cannot be read, the report is used alone: directory: invalid credentials"}},
		"the report is old": {report: true, change: func(w *world, _ *report.AuthServer) error { w.written = w.now.Add(-time.Hour); return nil },
			want: "good", notes: []string{"the directory is used instead"}, timelined: "by the directory"},
		"the report is old by the clock": {report: true, change: func(w *world, _ *report.AuthServer) error {
			w.every, w.written = 24*time.Hour, w.now.Add(-3*time.Hour)
			return nil
		}, want: "good", notes: []string{"the directory is used instead"}, timelined: "by the directory"},
		"both fail": {report: true, change: func(w *world, _ *report.AuthServer) error { w.hosts = nil; return errors.New("invalid credentials") },
			want: "error:report"},
		"the directory alone":       {want: "good", timelined: "by the directory"},
		"the directory alone fails": {change: func(*world, *report.AuthServer) error { return errors.New("invalid credentials") }, want: "error:ldap"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if !tc.report {
				w.target.OnPrem = config.OnPrem{}
			}
			a := report.AuthServer{Name: evoSTS, Type: report.TypeAzureAD, Enabled: true, Default: true, Realm: testTenant, Issuer: testIssuer, MetadataURL: testURL, Certificates: w.stored}
			var err error
			if tc.change != nil {
				err = tc.change(w, &a)
			}
			w.directory([]report.AuthServer{a}, err)
			r := w.run()
			require.Equal(t, tc.want, outcome(r))
			notes := strings.Join(r.Report.Texts(), "\n")
			for _, n := range tc.notes {
				assert.Contains(t, notes, n)
			}
			if tc.notes == nil {
				assert.NotContains(t, notes, "disagree")
			}
			assert.Contains(t, notes, tc.timelined)
		})
	}
}

func TestWhereTheDocumentIs(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		want   []string
	}{
		"the auth server's own":     {func(w *world) { w.server["authMetadataUrl"] = "https://login.example/fm.xml" }, []string{"https://login.example/fm.xml"}},
		"the tenant's, where blank": {func(w *world) { delete(w.server, "authMetadataUrl") }, []string{testURL}},
		"the tenant's, unknown":     {func(w *world) { w.hosts = nil }, []string{testURL}},
		"the config's before all": {func(w *world) {
			w.target.Metadata.URL = checktest.Setting[config.TenantURL]("https://login.example/{tenant}/fm.xml")
		},
			[]string{"https://login.example/" + testTenant + "/fm.xml"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			w.run()
			var got []string
			for _, r := range w.fetched {
				got = append(got, r.URL)
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestTheLastKnownPlaceServesWhileNoReportDoes(t *testing.T) {
	w := newWorld(t)
	w.server["authMetadataUrl"] = "https://login.example/fm.xml"
	w.documents["https://login.example/fm.xml"] = federationXML(testIssuer, w.published)
	require.Equal(t, "good", outcome(w.run()))
	w.hosts = nil
	w.restart()
	w.run()
	assert.Equal(t, "https://login.example/fm.xml", w.fetched[1].URL)
}

func TestTheOpenIDKeysAreCompared(t *testing.T) {
	w := newWorld(t)
	w.target.Entra.OpenIDConfiguration = checktest.Setting[config.TenantURL]("https://login.example/{tenant}/.well-known/openid-configuration")
	at := "https://login.example/" + testTenant + "/.well-known/openid-configuration"
	r := w.run()
	require.Equal(t, "good", outcome(r), "the second view decides nothing")
	assert.Contains(t, strings.Join(r.Report.Texts(), "\n"), "the OpenID keys cannot be compared")

	other := newDER(t, "other", noon)
	w.documents[at] = `{"issuer":"i","jwks_uri":"https://login.example/keys"}`
	w.documents["https://login.example/keys"] = fmt.Sprintf(`{"keys":[{"use":"sig","x5c":[%q]},{"use":"sig","x5c":[%q]}]}`, b64(other), b64(w.published[0]))
	notes := strings.Join(w.run().Report.Texts(), "\n")
	assert.Contains(t, notes, "only the OpenID keys have the certificate "+ThumbprintOf(other).String())
	assert.Contains(t, notes, "the OpenID keys lack the certificate "+ThumbprintOf(w.published[1]).String())
	assert.NotContains(t, notes, "lack the certificate "+ThumbprintOf(w.published[0]).String())
}

func TestTimeline(t *testing.T) {
	e := newEstate(t)
	e.run()
	e.now = e.now.Add(step)
	stored := e.roll()
	e.run()
	e.now = e.now.Add(3 * time.Hour)
	e.refresh(e.now)
	e.run()
	e.now = e.now.Add(step)
	withdrawn := e.published[0]
	missing := newDER(t, "second", noon)
	e.published = append(e.published[1:], missing)
	r := e.run()
	lines := timelineOf(r)
	require.Len(t, lines, 7, strings.Join(lines, "\n"))
	assert.Equal(t, evoSTS+", stored copy by the report of MBX01 of 2026-11-22 15:30 UTC", lines[0])
	assert.Equal(t, "certificate                               published                stored", lines[1])
	all := strings.Join(lines, "\n")
	assert.Contains(t, all, ThumbprintOf(withdrawn).String()+"  by 2026-11-22 12:00 UTC  by 2026-11-22 12:00 UTC  published no more since "+
		"2026-11-22 15:30 UTC")
	assert.Contains(t, all, ThumbprintOf(stored).String()+"  2026-11-22 12:15 UTC     by 2026-11-22 15:15 UTC")
	assert.Contains(t, all, ThumbprintOf(missing).String()+"  2026-11-22 15:30 UTC     missing                  in order until 2026-11-22 23:30 "+
		"UTC, critical from 2026-11-23 04:30 UTC")
	commands := r.Report.Texts(check.Repeat)
	require.Len(t, commands, 2)
	assert.Equal(t, "curl -sS -m 20 "+testURL, commands[0])
	assert.Contains(t, commands[1], "Get-AuthServer | ")
}

func TestACancelledRunWritesNothingDown(t *testing.T) {
	w := newWorld(t)
	e := buildEvoSTS(w.target, w.env(), w.fetch)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := EvoSTSMetadata.Judge()
	e.run(ctx, v)
	_, err := v.Report()
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, w.memory.Kept())
}
