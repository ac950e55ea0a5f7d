package graph

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra/entratest"
)

const jane = "jane.o'doe@contoso.com"

// world is a Graph that answers by path, and keeps what it was asked.
type world struct {
	client  *Client
	mu      sync.Mutex
	asked   []*http.Request
	answers map[string]http.HandlerFunc // by path
}

func newWorld(t *testing.T, answers map[string]http.HandlerFunc) *world {
	w := &world{answers: answers}
	authority := new(entratest.Authority)
	authority.Fail = func(rw http.ResponseWriter, form url.Values) bool {
		fmt.Fprintf(rw, `{"token_type":"Bearer","expires_in":3599,"access_token":%q}`, entratest.AccessToken)
		assert.Regexp(t, `^https://graph\.contoso\.test:\d+/\.default`, form.Get("scope"))
		return true
	}
	ca := checktest.NewCA(t)
	logins := checktest.Serve(t, ca, "login.contoso.test", authority)
	port := checktest.Serve(t, ca, "graph.contoso.test", w)
	target := config.Target{Tenant: entratest.TenantID, CAFile: ca.File, Graph: config.Graph{
		App: config.App{ClientID: entratest.ClientID, SecretFile: checktest.Written(t, "secret", entratest.ClientSecret), DisableAuthorityCheck: true,
			AuthorityHost: checktest.Setting[config.URL]("https://login.contoso.test:" + logins + "/")},
		Host: checktest.Setting[config.URL]("https://graph.contoso.test:" + port)}}
	env := checktest.Env(time.Now)
	env.Meter = checktest.Discard{}
	var err error
	w.client, err = New(target, env)
	require.NoError(t, err)
	return w
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked = append(w.asked, r)
	w.mu.Unlock()
	if h := w.answers[strings.TrimPrefix(r.URL.Path, "/v1.0")]; h != nil {
		h(rw, r)
		return
	}
	says(http.StatusNotFound, `{"error":{"code":"Request_ResourceNotFound","message":"Resource '`+jane+`' does not exist."}}`)(rw, r)
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

const policies = "/identity/conditionalAccess/policies"

func TestRefusalsHaveTheirClassAndNameThePermission(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		class  *check.Class
		text   string
	}{
		"a missing permission": {says(403, `{"error":{"code":"Authorization_RequestDenied","message":"`+jane+`"}}`), check.Permission,
			"the policies of conditional access: Microsoft Graph answers 403 (Authorization_RequestDenied): the app needs the permission Policy.Read.All, with admin consent"},
		"a token that is refused":    {says(401, `{"error":{"code":"InvalidAuthenticationToken"}}`), check.Token, "answers 401 (InvalidAuthenticationToken)"},
		"throttled, with a time":     {says(429, `{}`, "Retry-After", "120"), check.Throttled, "answers 429: wait 2m0s"},
		"throttled for years":        {says(429, `{}`, "Retry-After", "99999999999"), check.Throttled, "answers 429"},
		"throttled without a time":   {says(429, `{"error":{"code":"TooManyRequests"}}`), check.Throttled, "answers 429 (TooManyRequests)"},
		"not available":              {says(503, `no`), check.Service, "answers 503"},
		"a code that is a sentence":  {says(400, `{"error":{"code":"Jane Doe <jane.o'doe@contoso.com>"}}`), check.Other, "answers 400"},
		"no list":                    {says(200, `{"hello":1}`), check.Other, "is no list in the expected form"},
		"a value that is null":       {says(200, `{"value":null}`), check.Other, "is no list in the expected form"},
		"JSON that nests deep":       {says(200, `{"value":`+strings.Repeat("[", 200000)), check.Other, "it is no JSON"},
		"a million policies":         {says(200, `{"value":[`+strings.Repeat(`{"state":"enabled"},`, 400_000)+`{}]}`), check.Other, "over"},
		"too many on one page":       {says(200, `{"value":[`+strings.Repeat(`{},`, maxItems+1)+`{}]}`), check.Other, "has over 5000 entries"},
		"a policy without a state":   {says(200, `{"value":[{"displayName":"x"}]}`), check.Other, "a policy without a state"},
		"the next page elsewhere":    {says(200, `{"value":[],"@odata.nextLink":"https://graph.example.net/v1.0/identity?t=1"}`), check.Other, "names a next page at another place"},
		"the next page over http":    {says(200, `{"value":[],"@odata.nextLink":"http://graph.contoso.test/v1.0/identity"}`), check.Other, "at another place"},
		"the next page with a login": {says(200, `{"value":[],"@odata.nextLink":"https://a:b@graph.contoso.test/v1.0/x"}`), check.Other, "at another place"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[string]http.HandlerFunc{policies: tc.answer})
			_, err := w.client.Policies(t.Context())
			require.Error(t, err)
			assert.Equal(t, tc.class, check.ClassOf(err), err.Error())
			assert.ErrorContains(t, err, tc.text)
			checktest.OneLine(t, err)
			for _, secret := range []string{"jane", "Doe", entratest.AccessToken, "$select", "example.net"} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func TestPagesAreFollowedOnTheSameHostAndCounted(t *testing.T) {
	var w *world
	pages := 3
	w = newWorld(t, map[string]http.HandlerFunc{policies: func(rw http.ResponseWriter, r *http.Request) {
		n := len(w.asked)
		if n >= pages {
			says(200, `{"value":[{"state":"enabled"}]}`)(rw, r)
			return
		}
		says(200, fmt.Sprintf(`{"value":[{"state":"enabled"}],"@odata.nextLink":"https://%s/v1.0%s?$skiptoken=%d"}`, r.Host, policies, n))(rw, r)
	}})
	all, err := w.client.Policies(t.Context())
	require.NoError(t, err)
	assert.Len(t, all, 3)
	for _, r := range w.asked {
		assert.Equal(t, "Low", r.Header.Get("X-Ms-Throttle-Priority"))
		assert.Equal(t, "Bearer "+entratest.AccessToken, r.Header.Get("Authorization"))
	}
	assert.Contains(t, w.asked[0].URL.RawQuery, "$select=")

	w.asked, pages = nil, 1000
	_, err = w.client.Policies(t.Context())
	assert.ErrorContains(t, err, "has over 20 pages")
	assert.Len(t, w.asked, maxPages)
}

func TestLicencesOfAUserWhoseSignInNameIsNotTheMailAddress(t *testing.T) {
	w := newWorld(t, map[string]http.HandlerFunc{
		"/users":                    says(200, `{"value":[{"id":"b0b"}]}`),
		"/users/b0b/licenseDetails": says(200, `{"value":[{"servicePlans":[{"servicePlanId":"x","provisioningStatus":"Success"}]}]}`)})
	plans, err := w.client.Licences(t.Context(), jane)
	require.NoError(t, err)
	assert.Equal(t, []Plan{{"x", "Success"}}, plans)
	assert.Equal(t, "mail eq 'jane.o''doe@contoso.com'", w.asked[1].URL.Query().Get("$filter"))

	w.answers["/users"] = says(200, `{"value":[]}`)
	_, err = w.client.Licences(t.Context(), jane)
	assert.ErrorIs(t, err, ErrNotThere)
	w.answers["/users"] = says(200, `{"value":[{"id":"a"},{"id":"b"}]}`)
	_, err = w.client.Licences(t.Context(), jane)
	assert.ErrorContains(t, err, "does not name one user")
}

func TestWhatIsIncompleteIsNoAnswer(t *testing.T) {
	for _, body := range []string{`{}`, `null`, `[]`, `{"appId":"other","accountEnabled":true,"servicePrincipalNames":[]}`,
		`{"appId":"` + ExchangeOnline + `","servicePrincipalNames":[]}`, `{"appId":"` + ExchangeOnline + `","accountEnabled":true}`} {
		_, err := readPrincipal([]byte(body))
		assert.Error(t, err, body)
	}
	const domains = `"verifiedDomains":[{"name":"contoso.com"}]`
	for _, body := range []string{`{}`, `{"value":[]}`, `{"value":[{"id":"x",` + domains + `}]}`, `{"value":[{"id":"x","onPremisesSyncEnabled":true}]}`,
		`{"value":[{"onPremisesSyncEnabled":null,` + domains + `},{}]}`, `{"value":[{"onPremisesLastSyncDateTime":"yesterday","onPremisesSyncEnabled":true,` + domains + `}]}`} {
		_, err := readOrganization([]byte(body))
		assert.Error(t, err, body)
	}
	o, err := readOrganization([]byte(`{"value":[{"id":"x","onPremisesSyncEnabled":null,"onPremisesLastSyncDateTime":null,` + domains + `}]}`))
	require.NoError(t, err)
	assert.Equal(t, Organization{ID: "x", Domains: []string{"contoso.com"}}, o)
}

func FuzzReadAnswers(f *testing.F) {
	f.Add([]byte(`{"value":[{"id":"x","onPremisesSyncEnabled":true,"verifiedDomains":[{"name":"contoso.com"}]}]}`))
	f.Add([]byte(`{"appId":"` + ExchangeOnline + `","accountEnabled":true,"servicePrincipalNames":["https://mail.contoso.com/"]}`))
	f.Add([]byte(`{"value":[{"state":"enabled","conditions":{"platforms":null},"grantControls":{"operator":"OR"}}],"@odata.nextLink":"x"}`))
	f.Add([]byte(`{"error":{"code":"TooManyRequests"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if o, err := readOrganization(body); err == nil {
			assert.NotEmpty(t, o.Domains)
		}
		if p, err := readPrincipal(body); err == nil {
			assert.NotNil(t, p.Enabled)
		}
		for _, err := range []error{second(readPage[Policy](ConditionalAccess, body)), second(readPage[Protection](AppProtection, body))} {
			if err != nil {
				checktest.OneLine(t, err)
			}
		}
		assert.Regexp(t, `^[A-Za-z_.]*$`, codeOf(body))
	})
}

func second[T any](_ T, err error) error { return err }

func TestEveryAreaCanBeTriedByItself(t *testing.T) {
	w := newWorld(t, nil)
	for _, a := range Areas {
		assert.NoError(t, a.Try(t.Context(), w.client, jane), "%s: what is not there needed no more permission", a.Name)
	}
	denied := says(403, `{}`)
	w.answers = map[string]http.HandlerFunc{"/servicePrincipals(appId='" + ExchangeOnline + "')": denied, "/organization": denied, policies: denied,
		"/deviceAppManagement/iosManagedAppProtections": denied, "/users/" + jane + "/licenseDetails": denied}
	for _, a := range Areas {
		var refused *Error
		require.True(t, errors.As(a.Try(t.Context(), w.client, jane), &refused), a.Name)
		assert.Contains(t, refused.Error(), a.Permission)
	}
}
