package online

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/entra/entratest"
	"github.com/hmad/hmad/internal/powershell"
)

// failure returns the CmdletError within err, which must be there, one line and
// without what must not be shown.
func failure(t *testing.T, err error) *CmdletError {
	t.Helper()
	var e *CmdletError
	require.ErrorAs(t, err, &e)
	for _, s := range []string{err.Error(), e.Text} {
		checktest.OneLine(t, errors.New(s))
		for _, secret := range []string{jane, "jane", janeGUID, entratest.AccessToken, "cGxhbnRlZA", entratest.ClientID} {
			assert.NotContains(t, strings.ToLower(s), strings.ToLower(secret))
		}
	}
	return e
}

func TestAQuestionOnTheWire(t *testing.T) {
	c := newOffice(t, says(200, value("", `{"DeviceId":"A"}`)))
	got, err := c.devices(Options{Anchor: janeGUID, Select: []string{"DeviceId", "LastSuccessSync"}})
	require.NoError(t, err)
	assert.Equal(t, Rows{Rows: []powershell.Row{{"DeviceId": json.RawMessage(`"A"`)}}, Requests: 1}, got)

	r := c.api.requests()[0]
	assert.Equal(t, "/adminapi/beta/"+entratest.TenantID+"/InvokeCommand?$select=DeviceId,LastSuccessSync", r.url)
	assert.JSONEq(t, `{"CmdletInput":{"CmdletName":"Get-MobileDeviceStatistics","Parameters":{"Mailbox":"`+janeGUID+`"}}}`, r.body)
	for name, want := range map[string]string{
		"Authorization": "Bearer " + entratest.AccessToken, "Content-Type": "application/json; charset=utf-8", "Accept": "application/json",
		"Accept-Language": "en-US", "Accept-Encoding": "gzip", "Prefer": "odata.maxpagesize=1000", "X-CmdletName": "Get-MobileDeviceStatistics",
		"X-AnchorMailbox": "MBX:" + janeGUID + "@" + entratest.TenantID, "X-ResponseFormat": "json", "X-SerializationLevel": "Partial",
		"X-ClientApplication": "hmad", "User-Agent": "hmad/test", "X-ClientModuleVersion": "", "parameter-based-routing": "true",
	} {
		assert.Equal(t, want, r.header.Get(name), name)
	}
	_, err = c.devices(Options{})
	require.NoError(t, err)
	second := c.api.requests()[1]
	assert.Empty(t, second.header.Get("parameter-based-routing"), "the organisation's mailbox is no parameter")
	assert.True(t, config.IsGUID(r.header.Get("client-request-id")))
	assert.NotEqual(t, r.header.Get("client-request-id"), second.header.Get("client-request-id"), "one for each attempt")
	assert.Equal(t, r.header.Get("connection-id"), second.header.Get("connection-id"), "one for the process")
	assert.Equal(t, 1, c.api.Tokens(), "a token serves many questions")
	assert.Equal(t, map[string]float64{"hmad_exchange_online_requests_totalGet-MobileDeviceStatistics,200": 2}, c.meter.counts)
	assert.Equal(t, 2, c.meter.observed)
}

func TestAnchors(t *testing.T) {
	const organisation = "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@" + entratest.TenantID
	for name, c := range map[string]struct{ anchor, want string }{
		"the organisation":           {"", organisation},
		"a GUID":                     {janeGUID, "MBX:" + janeGUID + "@" + entratest.TenantID},
		"an address":                 {jane, "SMTP:" + jane},
		"as the caller has it":       {"UPN:" + jane, "UPN:" + jane},
		"letters no header may hold": {"jäne@contoso.com", organisation},
		"a second header":            {"a@b.c\r\nX-Evil: 1", organisation},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := anchor(entratest.TenantID, c.anchor)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
	for name, bad := range map[string]string{"a name": "jane", "too long": strings.Repeat("a", 2000) + "@contoso.com"} {
		_, err := anchor(entratest.TenantID, bad)
		assert.Error(t, err, name)
	}
}

func TestWhatIsNeverSent(t *testing.T) {
	c := newOffice(t, says(200, value("")))
	for name, q := range map[string]struct {
		cmdlet string
		params map[string]any
		opt    Options
		want   string
	}{
		"a writing verb":               {"Set-Mailbox", map[string]any{"Identity": jane}, Options{}, "only cmdlets of the verbs Get and Test are sent"},
		"a removing verb":              {"Remove-MobileDevice", nil, Options{}, "only cmdlets of the verbs"},
		"a verb like Get":              {"Getaway-Mailbox", nil, Options{}, "only cmdlets of the verbs"},
		"two commands":                 {"Get-Mailbox; Remove-Mailbox", nil, Options{}, "only cmdlets of the verbs"},
		"a second line":                {"Get-Mailbox\nX", nil, Options{}, "only cmdlets of the verbs"},
		"no cmdlet":                    {"", nil, Options{}, "only cmdlets of the verbs"},
		"no mailbox":                   {"Get-MailboxLocation", nil, Options{}, "no mailbox is named"},
		"an empty identity":            {"Get-MailboxLocation", map[string]any{"User": ""}, Options{}, "parameter User is empty or not an identity"},
		"an identity of blanks":        {"Get-Mailbox", map[string]any{"Identity": "  "}, Options{}, "parameter Identity is empty"},
		"an identity that is null":     {"Get-Mailbox", map[string]any{"Identity": nil}, Options{}, "parameter Identity is null"},
		"an identity that is a number": {"Get-Mailbox", map[string]any{"Identity": 7}, Options{}, "parameter Identity is empty or not an identity"},
		"an identity in small letters": {"Get-Mailbox", map[string]any{"identity": ""}, Options{}, "parameter identity is empty"},
		"PowerShell's nothing":         {"Get-Mailbox", map[string]any{"Identity": "$null"}, Options{}, "parameter Identity is empty"},
		"PowerShell's NOTHING":         {"Get-Mailbox", map[string]any{"Identity": "$NULL"}, Options{}, "parameter Identity is empty"},
		"an identity abbreviated":      {"Get-MobileDevice", map[string]any{"Mail": ""}, Options{}, "parameter Mail is empty"},
		"everybody":                    {"Get-MobileDevice", map[string]any{"Mailbox": "*"}, Options{}, "parameter Mailbox is empty or not an identity"},
		"a null anywhere":              {"Get-MobileDevice", map[string]any{"ResultSize": nil}, Options{}, "parameter ResultSize is null"},
		"the recovery password":        {"Get-MobileDeviceStatistics", map[string]any{"Mailbox": jane, "ShowRecoveryPassword": true}, Options{}, "parameter ShowRecoveryPassword is never sent"},
		"a log by mail, abbreviated":   {"Get-MobileDeviceStatistics", map[string]any{"Mailbox": jane, "GetMail": true}, Options{}, "parameter GetMail is never sent"},
		"a parameter with a blank":     {"Get-Mailbox", map[string]any{"a b": 1}, Options{}, "a parameter's name"},
		"a value that is no JSON":      {"Get-Mailbox", map[string]any{"Filter": func() {}}, Options{}, "cannot be encoded as a request"},
		"more than is ever needed":     {"Get-Mailbox", map[string]any{"Filter": strings.Repeat("x", 70<<10)}, Options{}, "cannot be encoded as a request"},
		"a query within the selection": {"Get-Mailbox", nil, Options{Select: []string{"A&$top=1"}}, "a selected property"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Invoke(context.Background(), q.cmdlet, q.params, q.opt)
			require.ErrorContains(t, err, q.want)
			assert.Equal(t, BadRequest, failure(t, err).Kind)
		})
	}
	assert.Empty(t, c.api.requests())
	assert.Zero(t, c.api.Tokens())

	_, err := c.Invoke(context.Background(), "Get-MobileDevice", nil, Options{})
	require.NoError(t, err)
	assert.Contains(t, c.api.requests()[0].body, `"Parameters":{}`, "never null")
}

func TestGoodAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want Rows
	}{
		"a row with side keys": {value("", `{"Guid@data.type":"System.Guid","Guid@odata.type":"#Guid","Guid":"x","LastSuccessSync@data.type":"System.DateTime","LastSuccessSync":null}`),
			Rows{Rows: []powershell.Row{{"Guid": json.RawMessage(`"x"`), "LastSuccessSync": json.RawMessage("null")}}}},
		"no value":        {`{"@odata.context":"x"}`, Rows{}},
		"a null value":    {`{"value":null}`, Rows{}},
		"an empty value":  {value(""), Rows{}},
		"an empty object": {`{}`, Rows{}},
		"no body":         {``, Rows{}},
		"warnings": {`{"@adminapi.warnings":["The object '` + janeGUID + `' of ` + jane + ` has been\r\ncorrupted.",7],"value":[]}`,
			Rows{}},
		"warnings of a wrong type": {`{"@adminapi.warnings":"x","value":[]}`, Rows{}},
		"a null row":               {`{"value":[null]}`, Rows{Rows: []powershell.Row{{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newOffice(t, says(200, c.body)).devices(Options{})
			require.NoError(t, err)
			c.want.Requests = 1
			assert.Equal(t, c.want, got)
		})
	}
	got, err := newOffice(t, says(204, "")).devices(Options{})
	require.NoError(t, err, "204 has no rows")
	assert.Empty(t, got.Rows)
}

func TestPaging(t *testing.T) {
	page := func(n string) string {
		return "/adminapi/beta/" + entratest.TenantID + "/InvokeCommand?$skiptoken=" + n
	}
	row := func(n string) string { return `{"DeviceId":"` + n + `"}` }
	expired := says(400, `{"error":{"code":"BadRequest","message":"Expired or Invalid pagination request. Default Expiry time is 00:30:00"}}`)
	for name, c := range map[string]struct {
		answers    []http.HandlerFunc
		max        int
		rows       int
		requests   int
		incomplete string // part of the warning; empty: complete
	}{
		"three pages":              {answers: []http.HandlerFunc{says(200, value(page("1"), row("1"))), says(200, value(page("2"), row("2"))), says(200, value("", row("3")))}, rows: 3, requests: 3},
		"an expired page":          {answers: []http.HandlerFunc{says(200, value(page("1"), row("1"))), expired}, rows: 1, requests: 2, incomplete: "page 2 could not be read: Expired or Invalid pagination request"},
		"a page too many":          {answers: []http.HandlerFunc{says(200, value(page("1"), row("1")))}, max: 3, rows: 3, requests: 3, incomplete: "more pages than were asked for"},
		"pages without end":        {answers: []http.HandlerFunc{says(200, value(page("1"), row("1")))}, rows: 10, requests: 10, incomplete: "more pages"},
		"another host":             {answers: []http.HandlerFunc{says(200, value("https://evil.contoso.test"+page("1"), row("1")))}, rows: 1, requests: 1, incomplete: "at another host"},
		"another port":             {answers: []http.HandlerFunc{says(200, value("https://outlook.contoso.test:1"+page("1"), row("1")))}, rows: 1, requests: 1, incomplete: "at another host"},
		"plain HTTP":               {answers: []http.HandlerFunc{says(200, value("http://outlook.contoso.test"+page("1"), row("1")))}, rows: 1, requests: 1, incomplete: "at another host"},
		"credentials":              {answers: []http.HandlerFunc{says(200, value("https://x:y@outlook.contoso.test"+page("1"), row("1")))}, rows: 1, requests: 1, incomplete: "at another host"},
		"a host hidden by a slash": {answers: []http.HandlerFunc{says(200, value("//evil.contoso.test"+page("1"), row("1")))}, rows: 1, requests: 1, incomplete: "at another host"},
		"another API":              {answers: []http.HandlerFunc{says(200, value("/owa/x", row("1")))}, rows: 1, requests: 1, incomplete: "does not belong to this API"},
		"no URL":                   {answers: []http.HandlerFunc{says(200, value("https://%zz", row("1")))}, rows: 1, requests: 1, incomplete: "cannot be read"},
		"a URL without end":        {answers: []http.HandlerFunc{says(200, value(page(strings.Repeat("x", 20<<10)), row("1")))}, rows: 1, requests: 1, incomplete: "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, c.answers...)
			got, err := o.devices(Options{Anchor: jane, MaxPages: c.max})
			require.NoError(t, err)
			assert.Len(t, got.Rows, c.rows)
			assert.Equal(t, c.requests, got.Requests)
			assert.Equal(t, c.incomplete != "", got.Incomplete)
			assert.Contains(t, got.Why, c.incomplete)
			all := o.api.requests()
			assert.Len(t, all, c.requests)
			for _, r := range all {
				assert.Equal(t, all[0].body, r.body, "the same body again")
				assert.Equal(t, "SMTP:"+jane, r.header.Get("X-AnchorMailbox"), "the same anchor")
			}
		})
	}
}

func TestRowsHandedOverAreNotKept(t *testing.T) {
	next := "/adminapi/beta/" + entratest.TenantID + "/InvokeCommand?$skiptoken=1"
	var paced, seen int
	opt := Options{Pace: func(context.Context) error { paced++; return nil }, Each: func(powershell.Row) error { seen++; return nil }}
	got, err := newOffice(t, says(200, value(next, `{}`, `{}`)), says(200, value("", `{}`))).devices(opt)
	require.NoError(t, err)
	assert.Empty(t, got.Rows)
	assert.Equal(t, 3, seen)
	assert.Equal(t, 1, paced, "before the second page")

	stop := errors.New("stop")
	opt.Pace = func(context.Context) error { return stop }
	_, err = newOffice(t, says(200, value(next))).devices(opt)
	require.ErrorIs(t, err, stop)
	opt.Each = func(powershell.Row) error { return stop }
	_, err = newOffice(t, says(200, value("", `{}`))).devices(opt)
	require.ErrorIs(t, err, stop)
}

func TestTheCredentialsExpiry(t *testing.T) {
	c := newOffice(t, says(200, value("")))
	assert.Equal(t, []check.Sample{{Metric: entra.CredentialNotAfter, Value: float64(c.api.Cert.NotAfter.Unix()), Labels: []string{entra.KindCertificate}}}, c.CredentialSamples())
}

func TestInvokersThatCannotBeBuilt(t *testing.T) {
	for name, c := range map[string]struct {
		e    config.ExchangeOnline
		want string
	}{
		"no credential": {config.ExchangeOnline{Host: checktest.Setting[config.URL]("https://outlook.office365.com")}, "exchange_online: no credential is configured"},
		"no host":       {config.ExchangeOnline{App: config.App{SecretFile: "x"}}, "exchange_online.host: want an https URL"},
	} {
		_, err := New(config.Target{Tenant: entratest.TenantID, ExchangeOnline: c.e}, checktest.Env(time.Now))
		require.EqualError(t, err, c.want, name)
	}
}
