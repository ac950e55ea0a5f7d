package online

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/entra/entratest"
)

const concurrent = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again"

// recorded answers with a recorded answer, byte by byte.
func recorded(t *testing.T, file string) http.HandlerFunc {
	raw, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(body)
	}
}

func TestErrorsByWhatTheyMean(t *testing.T) {
	notFound := "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
	storage := "Microsoft.Exchange.Data.Storage.StorageTransientException"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   Kind
		class  *check.Class
		typ    string
		want   string // the whole text
	}{
		"not found": {says(400, fault(notFound, "The operation couldn't be performed because object '"+janeGUID+"' couldn't be found on 'DB3PR07A003DC01.EURPR07A003.PROD.OUTLOOK.COM'.")),
			NotFound, check.Other, "ManagementObjectNotFoundException", "there is no such object"},
		"not found, by the details alone": {says(404, `{"error":{"message":"Invalid Operation","details":[{"message":"Ex6F9304|`+notFound+`|The operation couldn't be performed because object 'Jane O'Brien' couldn't be found."}]}}`),
			NotFound, check.Other, "ManagementObjectNotFoundException", "there is no such object"},
		"not found, by the header": {says(403, `{"error":{"message":"Invalid Operation"}}`, "X-ExceptionType", notFound),
			NotFound, check.Other, "ManagementObjectNotFoundException", "there is no such object"},
		"a wrong parameter": {says(400, fault("Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException", "Parameter set cannot be resolved using the specified named parameters.")),
			BadRequest, check.Other, "AmbiguousParameterSetException", "Parameter set cannot be resolved using the specified named parameters"},
		"a server in maintenance": {says(400, fault("Microsoft.Exchange.Data.Directory.ServerInMMException", "The server is in maintenance.")),
			Transient, check.Service, "ServerInMMException", "bad request"},
		"a mailbox that moves": {says(403, fault(storage, "Cannot open mailbox.")), Transient, check.Service, "StorageTransientException", "Cannot open mailbox"},
		"over budget":          {says(400, fault("Microsoft.Exchange.Data.Directory.OverBudgetException", "The budget is exceeded.")), Throttled, check.Throttled, "OverBudgetException", "bad request"},
		"an unknown exception": {says(500, fault("System.NullReferenceException", "Object reference not set to an instance of an object.")),
			Transient, check.Service, "NullReferenceException", "internal server error"},
		"a run of NUL bytes": {says(403, strings.Repeat("\x00", 100)), Access, check.Permission, "",
			"the app has no role with this cmdlet: View-Only Recipients should hold it, and Get-ManagementRole -Cmdlet Get-MobileDeviceStatistics names those that do"},
		"an unknown cmdlet": {says(400, fault("System.Management.Automation.CommandNotFoundException", "The term 'Get-MobileDeviceStatistics' is not recognized as a cmdlet.")),
			Access, check.Permission, "CommandNotFoundException", "the app has no role with this cmdlet: View-Only Recipients should hold it, and Get-ManagementRole -Cmdlet Get-MobileDeviceStatistics names those that do"},
		"concurrency with status 500": {says(500, concurrent), Throttled, check.Throttled, "", concurrencyText},
		"concurrency with status 200": {says(200, concurrent), Throttled, check.Throttled, "", concurrencyText},
		"concurrency within JSON":     {says(403, fault("", concurrent)), Throttled, check.Throttled, "", concurrencyText},
		"too many requests":           {says(429, ""), Throttled, check.Throttled, "", "too many requests"},
		"unavailable":                 {says(503, "<html>Service Unavailable</html>"), Transient, check.Service, "", "Exchange Online is not available at the moment"},
		"the recorded 503":            {recorded(t, "28-exo-503.http"), Transient, check.Service, "", "Exchange Online is not available at the moment"},
		"503 for too many at once":    {says(503, concurrent), Throttled, check.Throttled, "", concurrencyText},
		"a gateway's page":            {says(502, "<html>Bad Gateway</html>"), Transient, check.Service, "", "bad gateway"},
		"a wrong tenant":              {says(404, ""), BadRequest, check.Other, "", "is the tenant right, and exchange_online.host?"},
		"an error within a 200":       {says(200, `{"error":{"message":"no"},"value":[]}`), BadRequest, check.Other, "", "an error in place of an answer"},
		"errors beside a value":       {says(200, `{"@adminapi.errors":["Cannot read `+jane+`"],"value":[]}`), BadRequest, check.Other, "", "an error in place of an answer"},
		"an error of a wrong shape":   {says(400, `{"error":"no","details":7}`), BadRequest, check.Other, "", "bad request"},
		"a redirect":                  {says(302, "", "Location", "https://evil.contoso.test/adminapi/"), Invalid, check.Other, "", "a redirect, which is not followed"},
		"an application with a wrong role": {says(403, fault("System.UnauthorizedAccessException", "The role assigned to application "+entratest.ClientID+" isn't supported in this scenario. Please check online documentation for assigning correct Directory Roles to Azure AD Application for EXO App-Only Authentication.")),
			Access, check.Permission, "UnauthorizedAccessException", "Please check online documentation for assigning correct Directory Roles to Azure AD Application; the app has no role with this cmdlet: View-Only Recipients should hold it, and Get-ManagementRole -Cmdlet Get-MobileDeviceStatistics names those that do"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, c.answer)
			_, err := o.devices(Options{Anchor: jane})
			require.Error(t, err)
			e := failure(t, err)
			assert.Equal(t, c.kind, e.Kind)
			assert.Equal(t, c.class, check.ClassOf(err))
			assert.Equal(t, c.typ, e.Type)
			assert.Equal(t, c.want, e.Text)
			assert.Len(t, o.api.requests(), 1, "the next attempt is the caller's")
			assert.Equal(t, e.Kind == Throttled, e.RetryAfter > 0)
		})
	}
}

func TestAMissingRoleIsNamed(t *testing.T) {
	for cmdlet, role := range map[string]string{"Get-MailboxLocation": "View-Only Recipients", "Get-MobileDevice": "View-Only Recipients",
		"Get-OrganizationConfig": "View-Only Configuration", "Test-OAuthConnectivity": "View-Only Configuration"} {
		assert.Equal(t, role, roleFor(cmdlet), cmdlet)
	}
}

func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	refused := says(401, "")
	t.Run("and the new one does", func(t *testing.T) {
		o := newOffice(t, says(200, value("")), refused, says(200, value("")))
		for range 2 {
			_, err := o.devices(Options{})
			require.NoError(t, err)
		}
		assert.Len(t, o.api.requests(), 3)
		assert.Equal(t, 2, o.api.Tokens())
	})
	t.Run("or the error is told", func(t *testing.T) {
		o := newOffice(t, refused)
		for i, want := range []int{2, 3, 4} { // a missing role is not worth a token each time
			_, err := o.devices(Options{})
			e := failure(t, err)
			assert.Equal(t, Token, e.Kind)
			assert.Equal(t, check.Token, check.ClassOf(err))
			assert.Contains(t, e.Text, "Exchange.ManageAsApp")
			assert.Len(t, o.api.requests(), want, i)
			o.clock.add(time.Second)
		}
		assert.Equal(t, 2, o.api.Tokens())
		o.clock.add(renewEvery)
		_, err := o.devices(Options{})
		require.Error(t, err)
		assert.Equal(t, 3, o.api.Tokens(), "a minute later it is tried again")
	})
	t.Run("for a call of the budget", func(t *testing.T) {
		o := newOffice(t, refused, says(200, value("")))
		spent := func() time.Duration { // until there is one again, of one a second that comes in bursts of two
			_, at := o.env.Budget.Caller().Begin(o.clock.Now(), false)
			return at.Sub(o.clock.Now())
		}
		o.env.Budget = budget.New(1, 1)
		require.NoError(t, o.env.Budget.Call(t.Context(), o.clock.Now), "the caller's own")
		_, err := o.devices(Options{})
		require.NoError(t, err)
		assert.Positive(t, spent())
	})
	t.Run("with the claims that are wanted", func(t *testing.T) {
		const claims = `{"access_token":{"nbf":{"essential":true,"value":"1795338900"}}}`
		challenge := `Bearer realm="", error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(claims)) + `"`
		o := newOffice(t, says(401, "", "WWW-Authenticate", challenge), says(200, value("")))
		_, err := o.devices(Options{})
		require.NoError(t, err)
		assert.Equal(t, 2, o.api.Tokens())
		assert.Contains(t, o.api.Claims(), `"value":"1795338900"`)
	})
	t.Run("or a policy of the tenant is named", func(t *testing.T) {
		o := newOffice(t, recorded(t, "29-exo-401-claims.http"))
		_, err := o.devices(Options{})
		e := failure(t, err)
		assert.Equal(t, check.Token, check.ClassOf(err))
		assert.Contains(t, e.Text, "a policy of the tenant refuses the token (continuous access evaluation, insufficient_claims)")
		assert.NotContains(t, e.Text, "ManageAsApp")
		assert.NotContains(t, e.Error(), "eyJ")
		assert.Equal(t, 2, o.api.Tokens(), "a token with the claims was tried")
	})
	t.Run("unless Entra gives none", func(t *testing.T) {
		o := newOffice(t, says(200, value("")))
		o.api.Cert = checktest.NewCA(t).Cert // another than the client's is registered
		_, err := o.devices(Options{})
		e := failure(t, err)
		assert.Equal(t, Token, e.Kind)
		assert.Contains(t, e.Text, "AADSTS700027")
		assert.Empty(t, o.api.requests())
	})
}

func TestClaimsOfAChallenge(t *testing.T) {
	for name, c := range map[string]struct{ field, want string }{
		"base64":       {`Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="`, `{"a":1}`},
		"not padded":   {`Bearer claims="eyJhIjoxfQ"`, `{"a":1}`},
		"none":         {`Bearer error="invalid_token"`, ""},
		"no base64":    {`Bearer claims="e"`, ""},
		"another name": {`Bearer xclaims="eyJhIjoxfQ=="`, ""},
	} {
		assert.Equal(t, c.want, claimsOf(http.Header{"Www-Authenticate": {"Basic", c.field}}), name)
	}
}

func invoked(o *Client) error {
	_, err := o.Invoke(context.Background(), "Get-OrganizationConfig", nil, Options{})
	return err
}

func TestARefusalKeepsTheWholeTenantBack(t *testing.T) {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for name, c := range map[string]struct {
		answer    http.HandlerFunc
		low, high time.Duration // of the pause
	}{
		"seconds":                   {says(429, "", "Retry-After", "17"), 17 * time.Second, 17 * time.Second},
		"a date":                    {says(429, "", "Retry-After", date(20*time.Second)), 10 * time.Second, 20 * time.Second},
		"a date that is over":       {says(429, "", "Retry-After", date(-time.Hour)), 3 * time.Second, 3 * time.Second},
		"nothing":                   {says(429, ""), 3 * time.Second, 3 * time.Second},
		"nought":                    {says(429, "", "Retry-After", "0"), 3 * time.Second, 3 * time.Second},
		"nonsense":                  {says(429, "", "Retry-After", "soon"), 3 * time.Second, 3 * time.Second},
		"a negative number":         {says(429, "", "Retry-After", "-5"), 3 * time.Second, 3 * time.Second},
		"a year":                    {says(429, "", "Retry-After", "31536000"), 5 * time.Minute, 5 * time.Minute},
		"more than a number holds":  {says(429, "", "Retry-After", "99999999999999999999"), 3 * time.Second, 3 * time.Second},
		"the rate limit's reset":    {says(429, "", "Rate-Limit-Remaining", "0", "Rate-Limit-Reset", time.Now().Add(15*time.Second).UTC().Format("2006-01-02T15:04:05.000Z")), 8 * time.Second, 15 * time.Second},
		"a reset that is no reason": {says(429, "", "Rate-Limit-Remaining", "9", "Rate-Limit-Reset", date(time.Minute)), 3 * time.Second, 3 * time.Second},
		"503 with Retry-After":      {says(503, "", "Retry-After", "9"), 9 * time.Second, 9 * time.Second},
		"concurrency":               {says(500, concurrent), 3 * time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, c.answer, says(200, value("")))
			_, err := o.devices(Options{})
			e := failure(t, err)
			assert.GreaterOrEqual(t, e.RetryAfter, c.low)
			assert.LessOrEqual(t, e.RetryAfter, c.high)

			o.clock.add(e.RetryAfter - time.Second)
			err = invoked(o.Client)
			other := failure(t, err)
			assert.Equal(t, Throttled, other.Kind)
			assert.Equal(t, check.Throttled, check.ClassOf(err))
			assert.Equal(t, time.Second, other.RetryAfter, "what is left")
			other = failure(t, invoked(o.anotherTarget(t).Client))
			assert.Equal(t, Throttled, other.Kind, "another target of the tenant")
			assert.Len(t, o.api.requests(), 1, "nothing is sent meanwhile")

			o.clock.add(time.Second)
			_, err = o.devices(Options{})
			require.NoError(t, err)
		})
	}
}

// TestPlantedSecretsNeverAppear holds that whatever an answer echoes, errors
// and warnings do not.
func TestPlantedSecretsNeverAppear(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		text := fmt.Sprintf("%s %s %s %s 'Jane Doe' %s", r.Header.Get("Authorization"), r.Header.Get("X-AnchorMailbox"), janeGUID, jane, strings.ToUpper(jane))
		says(400, fault(text, text), "X-ExceptionType", text, "Request-Id", text)(w, r)
	}
	warn := func(w http.ResponseWriter, r *http.Request) {
		says(200, fmt.Sprintf(`{"@adminapi.warnings":[%q],"value":[]}`, r.Header.Get("Authorization")+" "+jane+" "+janeGUID))(w, r)
	}
	o := newOffice(t, echo, warn)
	_, err := o.devices(Options{Anchor: jane})
	e := failure(t, err)
	assert.Empty(t, e.Type)
	assert.Empty(t, e.RequestID)
	assert.NotContains(t, fmt.Sprintf("%+v", *e), "jane")
	rows, err := o.Invoke(context.Background(), "Get-MobileDeviceStatistics", map[string]any{"Mailbox": entratest.TenantID + `\` + janeGUID}, Options{})
	require.NoError(t, err)
	assert.Equal(t, Rows{Requests: 1}, rows)
}

// Names stand in Exchange's texts in every form that there is: none is shown,
// wherever in an answer the text stands.
func TestNoNameOfExchangesTextsIsShown(t *testing.T) {
	const notFound = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
	for name, text := range map[string]string{
		"without quotes":                "object Jane Doe couldn't be found",
		"a distinguished name":          "CN=Jane Doe,OU=contoso.onmicrosoft.com,OU=Microsoft Exchange Hosted Organizations,DC=EURPR07A003 is not valid",
		"a legacy name":                 "/o=ExchangeLabs/ou=Exchange Administrative Group/cn=Recipients/cn=0f4e-Jane Doe was not found",
		"German quotes":                 "Das Objekt „Jane Doe“ wurde nicht gefunden",
		"French quotes":                 "L'objet « Jane Doe » est introuvable",
		"a quote and what follows":      "'Jane Doe'(jane) is ambiguous",
		"an address with a quoted name": `"Jane Doe"@contoso.com is unknown`,
		"an address with an apostrophe": "jane.o'doe@contoso.com is unknown",
		"behind a known text":           "Cannot open mailbox /o=ExchangeLabs/cn=Jane Doe.",
		"within pipes":                  "Ex6F9304|Jane Doe|Jane Doe|x",
	} {
		t.Run(name, func(t *testing.T) {
			quoted := string(must(json.Marshal(text)))
			for where, answer := range map[string]http.HandlerFunc{
				"an exception":          says(400, fault(notFound, text), "Request-Id", janeGUID[:35]+"0"),
				"an unknown exception":  says(500, fault("Jane Doe", text), "X-ExceptionType", text),
				"a message":             says(400, `{"error":{"code":`+quoted+`,"message":`+quoted+`}}`),
				"a detail alone":        says(404, `{"error":{"message":"x","details":[{"message":`+quoted+`}]}}`),
				"a page":                says(503, text),
				"an error within a 200": says(200, `{"error":{"message":`+quoted+`},"value":[]}`),
				"errors beside a value": says(200, `{"@adminapi.errors":[`+quoted+`],"value":[]}`),
				"a status line":         brokenOff("HTTP/1.1 " + text + "\r\n\r\n"),
				"a header":              brokenOff("HTTP/1.1 200 OK\r\n" + text + "\r\n\r\n"),
				"a Location":            says(302, "", "Location", ":"+text),
			} {
				_, err := newOffice(t, answer).devices(Options{Anchor: jane})
				e := failure(t, err)
				for _, part := range []string{"doe", "recipients"} {
					assert.NotContains(t, strings.ToLower(err.Error()+e.Type+e.RequestID), part, where)
				}
			}
			o := newOffice(t, says(200, value("/adminapi/beta/x/InvokeCommand?$skiptoken=1")), says(400, fault(notFound, text)))
			rows, err := o.devices(Options{Anchor: jane})
			require.NoError(t, err)
			assert.NotContains(t, strings.ToLower(rows.Why), "doe", "an incomplete answer")
		})
	}
}

// brokenOff answers with these bytes, whatever they are, and hangs up.
func brokenOff(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write([]byte(text)) // the client may have gone
		_ = conn.Close()
	}
}

func TestAnErrorSaysWhatHelpsToMend(t *testing.T) {
	o := newOffice(t, says(400, fault("Microsoft.Exchange.Data.Storage.StorageTransientException", "Cannot open mailbox /o=x/cn=Jane Doe."), "Request-Id", "0ec3c2c5-7a94-4cf5-93bd-0d7fcb6ec3ee"))
	_, err := o.devices(Options{})
	assert.EqualError(t, err, "Get-MobileDeviceStatistics: Exchange Online answers 400: Cannot open mailbox (transient, StorageTransientException, request 0ec3c2c5-7a94-4cf5-93bd-0d7fcb6ec3ee)")
}
