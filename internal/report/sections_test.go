package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
)

const orgGUID = "7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11"

func TestEverySectionIsReadByItsOwnMethod(t *testing.T) {
	for _, p := range parts() {
		_, err := p.read(Report{})
		require.ErrorIs(t, err, ErrMissing)
		assert.ErrorContains(t, err, "section "+p.name+":")
	}
}

func partNamed(name string) part {
	all := parts()
	return all[slices.IndexFunc(all, func(p part) bool { return p.name == name })]
}

func TestTheSampleSections(t *testing.T) {
	r, err := Decode([]byte(sample(t)))
	require.NoError(t, err)
	at := func(day, hour, minute, second int) time.Time {
		return time.Date(2026, 11, day, hour, minute, second, 0, time.UTC)
	}
	vdir := func(kind, name, path, url, protection string, auth, iis []string) VirtualDirectory {
		v := VirtualDirectory{Kind: kind, Server: "EX01", Name: name, InternalAuth: auth, ExternalAuth: auth, IISAuth: iis, ExtendedProtection: protection}
		if url != "" {
			v.InternalURL, v.ExternalURL = url+path, url+path
		}
		return v
	}
	const mail = "https://mail.contoso.com"
	mapiAuth := []string{"Ntlm", "OAuth", "Negotiate"}
	for name, want := range map[string]any{
		SectionArbitration: []ArbitrationMailbox{{Name: "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}", Database: "DB01",
			Capabilities: []string{"OrganizationCapabilityUMGrammarReady", RefreshCapability}}},
		SectionDatabaseCopies: []DatabaseCopy{{`DB01\EX01`, "DB01", "EX01", Mounted}, {`DB01\EX02`, "DB01", "EX02", "Healthy"}},
		SectionOrganization:   OrganizationConfig{Name: "Contoso", GUID: orgGUID, OAuth2ClientProfileEnabled: true},
		SectionActiveSync:     ActiveSyncSettings{AccessBlock},
		SectionAccessRules: []DeviceAccessRule{
			{"OutlookService (DeviceType)", "DeviceType", "OutlookService", AccessAllow},
			{"Outlook for iOS and Android (DeviceModel)", "DeviceModel", "Outlook for iOS and Android", AccessBlock}},
		SectionDirectories: []VirtualDirectory{
			vdir(KindActiveSync, "Microsoft-Server-ActiveSync (Default Web Site)", "/Microsoft-Server-ActiveSync", mail, "None", nil, nil),
			vdir(KindMapi, "mapi (Default Web Site)", "/mapi", mail, "Require", mapiAuth, mapiAuth),
			vdir(KindWebServices, "EWS (Default Web Site)", "/EWS/Exchange.asmx", mail, "Require", []string{"Ntlm", "WindowsIntegrated", "WSSecurity", "OAuth"}, nil),
			vdir(KindOAB, "OAB (Default Web Site)", "/OAB", mail, "Require", []string{"WindowsIntegrated", "OAuth"}, nil),
			vdir(KindAutodiscover, "Autodiscover (Default Web Site)", "", "", "None", []string{"Basic", "Ntlm", "WindowsIntegrated", "WSSecurity", "OAuth"}, nil)},
		SectionServers: []ExchangeServer{
			{"EX01", "EX01.contoso.com", "Version 15.2 (Build 1748.10)", "Enterprise", []string{"Mailbox", "ClientAccess"}, "contoso.com/Configuration/Sites/HQ", ""},
			{"EX02", "EX02.contoso.com", "Version 15.2 (Build 1748.10)", "Enterprise", []string{"Mailbox", "ClientAccess"}, "contoso.com/Configuration/Sites/HQ", "http://proxy.contoso.com:8080/"}},
		SectionTransport:  TransportConfig{MaxSendSize: powershell.Size{Bytes: 36700160}, MaxReceiveSize: powershell.Size{Unlimited: true}},
		SectionAuthConfig: AuthConfig{CurrentThumbprint: "8A1C2B3D4E5F60718293A4B5C6D7E8F901234567", ServiceName: "00000002-0000-0ff1-ce00-000000000000"},
		SectionCertificates: []ExchangeCertificate{{Server: "EX01", Thumbprint: "8A1C2B3D4E5F60718293A4B5C6D7E8F901234567",
			Subject: "CN=Microsoft Exchange Server Auth Certificate", NotBefore: time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC),
			NotAfter: time.Date(2029, 2, 4, 10, 0, 0, 0, time.UTC), Services: []string{"SMTP"}, HasPrivateKey: true}},
		SectionHybrid: []HybridConfiguration{{ServiceInstance: 0, Features: []string{"FreeBusy", "MoveMailbox", "Mailtips", "SecureMail"}, Domains: []string{"contoso.com"}}},
		SectionConnectors: []IntraOrganizationConnector{{"HybridIOC - " + orgGUID, true, []string{"contoso.mail.onmicrosoft.com"},
			"https://autodiscover-s.outlook.com/autodiscover/autodiscover.svc", ""}},
		SectionRelationships: []OrganizationRelationship{{"On-premises to O365 - " + orgGUID, true, []string{"contoso.mail.onmicrosoft.com"},
			"", "https://autodiscover-s.outlook.com/autodiscover/autodiscover.svc/WSSecurity"}},
		SectionMigrationEndpoints: []MigrationEndpoint{},
		SectionOverrides:          []SettingOverride{{"EnableExchangeHybrid3PAppFeature", "Global", "ExchangeOnpremAsThirdPartyAppId", []string{"Enabled=true"}, nil}},
		SectionAuthAdminEvents: []Event{
			{at(22, 6, 2, 11), at(22, 6, 2, 11), 2015, "Information", "MSExchange AuthAdmin", "The AuthAdmin servicelet completed a run.", 1, ""},
			{at(21, 22, 4, 12), at(21, 22, 4, 12), 2013, "Information", "MSExchange AuthAdmin", "The trusted issuer EvoSts was updated.", 1, ""}},
		SectionOAuthEvents: []Event{{at(22, 9, 11, 40), at(22, 8, 0, 3), 2006, "Warning", "MSExchange OAuth",
			"Failed to authenticate a token: invalid signature.", 12, "8A1C2B3D4E5F60718293A4B5C6D7E8F901234567"}},
		SectionLocalServer: LocalServer{`C:\Program Files\Microsoft\Exchange Server\V15\`, "15.02.1748.039"},
		SectionWebConfig:   WebConfig{Path: `C:\Program Files\Microsoft\Exchange Server\V15\FrontEnd\HttpProxy\Sync\web.config`, MaxRequestLength: 10240},
		SectionIIS:         IIS{"Default Web Site/Microsoft-Server-ActiveSync", []string{"Ssl", "Ssl128"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := partNamed(name).read(r)
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(want, got))
		})
	}
}

func TestAuthServers(t *testing.T) {
	r, err := Decode([]byte(sample(t)))
	require.NoError(t, err)
	got, err := r.AuthServers()
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, TypeMicrosoftACS, got[0].Type)
	assert.Empty(t, cmp.Diff(AuthServer{
		Name: "EvoSts - " + orgGUID, Type: TypeAzureAD, Enabled: true, Default: true,
		Issuer: "https://sts.windows.net/5de110f8-2e0f-4d45-891d-bcf2218e253d/", Realm: "5de110f8-2e0f-4d45-891d-bcf2218e253d",
		AuthorizationEndpoint: "https://login.windows.net/common/oauth2/authorize", TokenEndpoint: "https://login.windows.net/common/oauth2/token",
		MetadataURL:  "https://login.windows.net/5de110f8-2e0f-4d45-891d-bcf2218e253d/federationmetadata/2007-06/federationmetadata.xml",
		DomainNames:  []string{"contoso.mail.onmicrosoft.com", "contoso.com"},
		Certificates: [][]byte{{5, 6, 7, 8}, {9, 10, 11, 12}}, WhenChanged: time.Date(2026, 11, 20, 22, 4, 12, 0, time.UTC),
	}, got[1]))
}

func TestWhatPowerShellDoesToASection(t *testing.T) {
	const row = `{"name": "EvoSts", "type": "AzureAD", "enabled": true, "isDefaultAuthorizationEndpoint": "True", "certificateStrings": %s, "domainName": %s}`
	one := `{"Name": "EvoSts", "TYPE": "AzureAD", "enabled": true, "isDefaultAuthorizationEndpoint": "True", "certificateStrings": "AQID\r\n BA==", "domainName": "contoso.com, contoso.test"}`
	for name, data := range map[string]string{
		"a list of one collapsed":     one,
		"a list":                      `[` + one + `]`,
		"a list wrapped in an object": `{"value": [` + one + `], "Count": 1}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := withSection(SectionAuthServers, data).AuthServers()
			require.NoError(t, err, row)
			assert.Empty(t, cmp.Diff([]AuthServer{{Name: "EvoSts", Type: "AzureAD", Enabled: true, Default: true,
				DomainNames: []string{"contoso.com", "contoso.test"}, Certificates: [][]byte{{1, 2, 3, 4}}}}, got))
		})
	}
}

// What is absent is not «none»: that is an empty list.
func TestWhatIsAbsentIsNotNone(t *testing.T) {
	none, err := withSection(SectionAuthServers, `[]`).AuthServers()
	require.NoError(t, err)
	assert.Empty(t, none)
	const server = `{"name": "EvoSts", "type": "AzureAD", "enabled": true, "isDefaultAuthorizationEndpoint": true%s}`
	for name, c := range map[string]struct{ data, want string }{
		"null":               {`null`, "its data is null"},
		"null, wrapped":      {`{"value": null, "Count": 0}`, "its data is null"},
		"a list of null":     {`[null]`, "row 0: got nothing"},
		"no certificate key": {fmt.Sprintf(server, ``), "row 0: certificateStrings: missing"},
		"null certificates":  {fmt.Sprintf(server, `, "certificateStrings": null`), "row 0: certificateStrings: missing"},
		"none shows one":     {"[" + fmt.Sprintf(server, `, "certificateStrings": []`) + "," + fmt.Sprintf(server, `, "certificateStrings": []`) + "]", "no auth server shows a certificate"},
	} {
		got, err := withSection(SectionAuthServers, c.data).AuthServers()
		require.ErrorContains(t, err, c.want, name)
		assert.Equal(t, check.ReportInput, check.ClassOf(err), name)
		assert.Nil(t, got, name)
	}
	_, err = withSection(SectionAccessRules, `null`).DeviceAccessRules()
	assert.ErrorContains(t, err, "its data is null")
}

func TestSSLFlags(t *testing.T) {
	for flags, want := range map[string]bool{`["Ssl","Ssl128"]`: true, `"Ssl, Ssl128"`: true, `"ssl"`: true, `"None"`: false, `"SslNegotiateCert"`: false} {
		i, err := withSection(SectionIIS, `{"location":"Default Web Site","sslFlags":`+flags+`}`).IIS()
		require.NoError(t, err, flags)
		assert.Equal(t, want, i.RequiresTLS(), flags)
	}
	_, err := withSection(SectionIIS, `{"location":"Default Web Site","sslFlags":[]}`).IIS()
	assert.ErrorContains(t, err, "sslFlags: missing")
}

func TestEvents(t *testing.T) {
	event := func(more string) (Event, error) {
		all, err := withSection(SectionOAuthEvents, `{"time":"2026-11-22T09:15:00Z","id":2006,"level":"Warning","source":"MSExchange OAuth"`+more+`}`).OAuthEvents()
		if err != nil {
			return Event{}, err
		}
		return all[0], nil
	}
	e, err := event(``)
	require.NoError(t, err)
	assert.Equal(t, 1, e.Count, "an event is counted at least once")
	assert.Equal(t, e.Time, e.First)
	e, err = event(`,"first":"2026-11-22T10:15:00Z"`)
	require.NoError(t, err)
	assert.True(t, e.First.Before(e.Time), "first and last are told apart by their times")
	for _, count := range []string{`0`, `-3`, `"many"`, `1.5`} {
		_, err = event(`,"count":` + count)
		assert.ErrorContains(t, err, "count:", count)
	}
	e, err = event(`,"message":"line one\r\nline two\u0007 by jane@contoso.com with eyJhbGciOiJSUzI1NiJ9.eyJ1cG4iOiJqYW5lIn0.c2ln, issuer 00000001-0000-0000-c000-000000000000@5de110f8-2e0f-4d45-891d-bcf2218e253d"`)
	require.NoError(t, err)
	assert.Equal(t, "line one  line two  by (address) with (token), issuer 00000001-0000-0000-c000-000000000000@5de110f8-2e0f-4d45-891d-bcf2218e253d", e.Message)
}

func TestThumbprint(t *testing.T) {
	const want = "8A1C2B3D4E5F60718293A4B5C6D7E8F901234567"
	for _, id := range []string{want, "8a1c2b3d4e5f60718293a4b5c6d7e8f901234567", "ihwrPU5fYHGCk6S1xtfo-QEjRWc", "ihwrPU5fYHGCk6S1xtfo-QEjRWc=", " ihwrPU5fYHGCk6S1xtfo-QEjRWc "} {
		got, ok := Thumbprint(id)
		assert.True(t, ok, id)
		assert.Equal(t, want, got, id)
	}
	for _, id := range []string{"", "8A1C", "7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11", "ihwrPU5fYHGCk6S1xtfo+QEjRWc"} {
		_, ok := Thumbprint(id)
		assert.False(t, ok, id)
	}
}

func TestMessagesShowNoSecrets(t *testing.T) {
	for _, before := range []string{strings.Repeat("x ", maxMessage/2-4), strings.Repeat("eyJ", maxLong/3-4) + " "} {
		assert.NotContains(t, shown(before+"planted@contoso.com"+strings.Repeat(" y", 9000)), "planted", "an address that a cut goes through")
	}
	r, err := Decode([]byte(replaced(t, `{"ok": true, "error": null, "data": [`, `{"ok": false, "error": "planted@contoso.com\nBearer planted-token", "data": [`)))
	require.NoError(t, err)
	_, err = r.AuthServers()
	assert.ErrorContains(t, err, "(address) Bearer (token)")
}

func TestAServiceInstanceThatIsNotTold(t *testing.T) {
	for data, want := range map[string]int{`0`: 0, `"1"`: 1, `null`: -1} {
		got, err := withSection(SectionHybrid, `[{"serviceInstance": `+data+`, "features": [], "domains": []}]`).HybridConfiguration()
		require.NoError(t, err, data)
		assert.Equal(t, want, got[0].ServiceInstance, data)
	}
}

func TestUnreadable(t *testing.T) {
	whole, err := Decode([]byte(sample(t)))
	require.NoError(t, err)
	assert.Empty(t, whole.Unreadable())
	for _, name := range SectionNames() {
		for what, s := range map[string]Section{"a section of another form": {OK: true, Data: []byte(`[7]`)}, "null": {OK: true, Data: []byte(`null`)}, "a failed one": {Error: "no"}} {
			r := Report{Host: "EX01", Sections: maps.Clone(whole.Sections)}
			r.Sections[name] = s
			got := r.Unreadable()
			assert.Len(t, got, 1, "%s: %s", name, what)
			assert.ErrorContains(t, got[name], "EX01: section "+name+": ", what)
		}
		r := Report{Host: "EX01", Sections: maps.Clone(whole.Sections)}
		delete(r.Sections, name)
		may := slices.Contains([]string{"migrationEndpoints", "settingOverrides", "frontEndRequests", "autodetectVisits", "partnerships"}, name)
		assert.Equal(t, may, r.Unreadable()[name] == nil, name)
	}
}
