package exporter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

const form = "application/x-www-form-urlencoded"

// asked is one request to a server and what it must answer.
type asked struct {
	method, path, body string
	header             map[string]string
	options            func(*Options)
	status             int
	says               string // part of the body
}

func (a asked) do(t *testing.T) *http.Response {
	t.Helper()
	o := estateOptions()
	if a.options != nil {
		a.options(&o)
	}
	var body io.Reader
	if a.body != "" {
		body = strings.NewReader(a.body)
	}
	r := httptest.NewRequest(a.method, a.path, body)
	for k, v := range a.header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	New(o).Handler().ServeHTTP(w, r)
	return w.Result()
}

func fails(err error) func(*Options) {
	return func(o *Options) {
		o.Run = func(context.Context, check.ID) (check.Result, error) { return check.Result{}, err }
		o.Reload = func(context.Context) error { return err }
	}
}

func TestEndpoints(t *testing.T) {
	page := map[string]string{"Content-Type": form}
	noPost := func(o *Options) { o.MayPost = nil }
	for name, a := range map[string]asked{
		"metrics":                       {method: "GET", path: "/metrics", status: 200, says: "hmad_check_success"},
		"metrics as OpenMetrics":        {method: "GET", path: "/metrics", header: map[string]string{"Accept": "application/openmetrics-text"}, status: 200, says: "# EOF"},
		"the page":                      {method: "GET", path: "/", status: 200, says: "1 of 5 checks failing"},
		"the page's head":               {method: "HEAD", path: "/", status: 200},
		"the style":                     {method: "GET", path: "/style.css", status: 200, says: "prefers-color-scheme"},
		"the icon":                      {method: "GET", path: "/icon-bad.svg", status: 200, says: "<svg"},
		"nothing else of the assets":    {method: "GET", path: "/page.html", status: 404},
		"an unknown path":               {method: "GET", path: "/nothing", status: 404},
		"results":                       {method: "GET", path: "/api/v1/results", status: 200, says: `"version": 1`},
		"healthy":                       {method: "GET", path: "/-/healthy", status: 200, says: "healthy"},
		"ready":                         {method: "GET", path: "/-/ready", status: 200, says: "ready"},
		"not ready":                     {method: "GET", path: "/-/ready", options: func(o *Options) { o.Ready = func() bool { return false } }, status: 503, says: "not ready"},
		"POST to metrics":               {method: "POST", path: "/metrics", status: 405},
		"DELETE of the page":            {method: "DELETE", path: "/", status: 405},
		"PUT to results":                {method: "PUT", path: "/api/v1/results", status: 405},
		"GET of run":                    {method: "GET", path: "/api/v1/run?check=vantage", status: 405},
		"GET of reload":                 {method: "GET", path: "/-/reload", status: 405},
		"a run":                         {method: "POST", path: "/api/v1/run?check=activesync&target=fabrikam", status: 200, says: `"target": "fabrikam"`},
		"a run by a form":               {method: "POST", path: "/api/v1/run", body: "check=activesync&target=contoso", header: page, status: 200, says: `"target": "contoso"`},
		"a run without its only target": {method: "POST", path: "/api/v1/run?check=vantage", status: 200, says: `"target": "contoso"`},
		"a run of several targets":      {method: "POST", path: "/api/v1/run?check=activesync", status: 400, says: "contoso, fabrikam"},
		"a run of nothing":              {method: "POST", path: "/api/v1/run", status: 400, says: "which check"},
		"a run of an unknown check":     {method: "POST", path: "/api/v1/run?check=tls", status: 404, says: "unknown check or target; there are vantage of contoso, "},
		"a run of an unknown target":    {method: "POST", path: "/api/v1/run?check=vantage&target=fabrikam", status: 404, says: "unknown"},
		"a run of a check just removed": {method: "POST", path: "/api/v1/run?check=vantage", options: fails(check.ErrUnknown), status: 404, says: "unknown"},
		"a run while one waits":         {method: "POST", path: "/api/v1/run?check=vantage", options: fails(check.ErrBusy), status: 409, says: "already waits"},
		"a run cut off by shutdown":     {method: "POST", path: "/api/v1/run?check=vantage", options: fails(context.Canceled), status: 503},
		"a run where none can be":       {method: "POST", path: "/api/v1/run?check=vantage", options: func(o *Options) { o.Run = nil }, status: 503},
		"a run with an endless body":    {method: "POST", path: "/api/v1/run", body: "check=" + strings.Repeat("x", 1<<20), header: page, status: 400, says: "too large"},
		"a run with a broken form":      {method: "POST", path: "/api/v1/run", body: "check=%zz", header: page, status: 400},
		"a run where POSTs are off":     {method: "POST", path: "/api/v1/run?check=vantage", options: noPost, status: 403, says: "shows neither a password nor"},
		"a reload":                      {method: "POST", path: "/-/reload", options: fails(nil), status: 200, says: "taken over"},
		"a reload that fails":           {method: "POST", path: "/-/reload", options: fails(errors.New("config.yaml:3: unknown key\nconfig.yaml:9: not https")), status: 500, says: "config.yaml:3: unknown key\nconfig.yaml:9: not https\n"},
		"a reload of nothing":           {method: "POST", path: "/-/reload", status: 503},
		"a reload where POSTs are off":  {method: "POST", path: "/-/reload", options: noPost, status: 403, says: "shows neither a password nor"},
		"a cross-site run":              {method: "POST", path: "/api/v1/run?check=vantage", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, status: 403, says: "cross-origin"},
		"a run from another origin":     {method: "POST", path: "/api/v1/run?check=vantage", header: map[string]string{"Origin": "https://contoso.test"}, status: 403, says: "cross-origin"},
		"a cross-site reload":           {method: "POST", path: "/-/reload", header: map[string]string{"Sec-Fetch-Site": "same-site"}, status: 403, says: "cross-origin"},
		"a run from an origin withheld": {method: "POST", path: "/api/v1/run?check=vantage", header: map[string]string{"Origin": "null"}, status: 403, says: "cross-origin"},
		"a same-origin run over HTTP":   {method: "POST", path: "/api/v1/run?check=vantage", header: map[string]string{"Origin": "http://example.com"}, status: 200},
		"a same-origin run":             {method: "POST", path: "/api/v1/run?check=vantage", header: map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://example.com"}, status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			resp := a.do(t)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, a.status, resp.StatusCode, string(body))
			assert.Contains(t, string(body), a.says)
			if resp.StatusCode == http.StatusMethodNotAllowed {
				assert.NotEmpty(t, resp.Header.Get("Allow"))
			}
			assertSecured(t, resp)
		})
	}
}

func assertSecured(t *testing.T, resp *http.Response) {
	t.Helper()
	assert.Equal(t, "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		resp.Header.Get("Content-Security-Policy"))
	assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	assert.Equal(t, "same-origin", resp.Header.Get("Referrer-Policy"))
	assert.Contains(t, []string{"no-store", "no-cache"}, resp.Header.Get("Cache-Control"))
}

func TestPageAndAPIAreNotStored(t *testing.T) {
	for _, path := range []string{"/", "/api/v1/results", "/metrics", "/-/healthy"} {
		assert.Equal(t, "no-store", asked{method: "GET", path: path}.do(t).Header.Get("Cache-Control"), path)
	}
}

func TestTheStyleIsAskedForOnce(t *testing.T) {
	tag := asked{method: "GET", path: "/style.css"}.do(t).Header.Get("ETag")
	require.NotEmpty(t, tag)
	resp := asked{method: "GET", path: "/style.css", header: map[string]string{"If-None-Match": tag}}.do(t)
	assert.Equal(t, http.StatusNotModified, resp.StatusCode)
	assert.Equal(t, "text/css; charset=utf-8", asked{method: "GET", path: "/style.css"}.do(t).Header.Get("Content-Type"))
}

func TestCheckAgainLeadsBackToItsCard(t *testing.T) {
	for name, options := range map[string]func(*Options){
		"after the run": nil, "also while another waits": fails(check.ErrBusy),
	} {
		t.Run(name, func(t *testing.T) {
			resp := asked{method: "POST", path: "/api/v1/run", body: "check=activesync&target=contoso&from=page",
				header: map[string]string{"Content-Type": form}, options: options}.do(t)
			assert.Equal(t, http.StatusSeeOther, resp.StatusCode)
			assert.Equal(t, "../../#contoso-activesync", resp.Header.Get("Location"))
		})
	}
}

func TestARunAnswersWithOneResultObject(t *testing.T) {
	resp := asked{method: "POST", path: "/api/v1/run?check=vantage"}.do(t)
	assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	var got map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
	assert.Equal(t, "vantage", got["check"])
	assert.Equal(t, "passed", got["outcome"])
	assert.NotContains(t, got, "results")
}

func TestResultsAreTheLatestOfChecksThatHaveRun(t *testing.T) {
	resp := asked{method: "GET", path: "/api/v1/results"}.do(t)
	var got struct {
		Version int
		Results []struct{ Check, Target, Outcome string }
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
	assert.Equal(t, 1, got.Version)
	require.Len(t, got.Results, 4, "the fifth has not run")
	assert.Equal(t, struct{ Check, Target, Outcome string }{"activesync", "fabrikam", "undecided"}, got.Results[3])
}

func TestReloadIsRemembered(t *testing.T) {
	o := estateOptions()
	o.Reload = func(context.Context) error { return errors.New("config.yaml:3: unknown key") }
	s := New(o)
	s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/-/reload", nil))
	assert.Contains(t, shown(s.ownSamples()), "config_last_reload_successful[] 0")
}

func TestHealthHandlerShowsHealthAlone(t *testing.T) {
	h := New(estateOptions()).HealthHandler()
	for path, want := range map[string]int{"/-/healthy": 200, "/-/ready": 200, "/metrics": 404, "/": 404, "/api/v1/results": 404, "/-/reload": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		assert.Equal(t, want, w.Code, path)
		assertSecured(t, w.Result())
	}
}

func TestNothingWaitsForARun(t *testing.T) {
	o := estateOptions()
	started, finish, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	o.Run = func(context.Context, check.ID) (check.Result, error) {
		close(started)
		<-finish
		return check.Result{}, nil
	}
	h := New(o).Handler()
	go func() {
		defer close(done)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/api/v1/run?check=vantage", nil))
	}()
	<-started
	for _, path := range []string{"/metrics", "/", "/api/v1/results", "/-/healthy"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		assert.Equal(t, 200, w.Code, path)
	}
	close(finish)
	<-done
}
