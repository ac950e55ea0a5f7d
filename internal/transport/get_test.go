package transport

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
)

// served starts a server that answers by path.
func served(t *testing.T) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json":
			io.WriteString(w, "\ufeff"+`{"accept":"`+r.Header.Get("Accept")+`","told":"`+r.Header.Get("X-Told")+`"}`)
		case "/page":
			io.WriteString(w, "<html>")
		case "/large":
			io.WriteString(w, `"`+strings.Repeat("x", 1000)+`"`)
		case "/refused":
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, strings.Repeat("no", 1000))
		case "/hangs":
			<-r.Context().Done()
		case "/broken":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
		case "/round":
			http.Redirect(w, r, "/round?"+r.URL.RawQuery, http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestGetJSONDecodesWhatCame(t *testing.T) {
	srv := served(t)
	var got map[string]string
	header := http.Header{"X-Told": {"yes"}}
	require.NoError(t, GetJSON(t.Context(), srv.Client(), Request{URL: srv.URL + "/json", Header: header, Max: 100}, &got))
	assert.Equal(t, map[string]string{"accept": "application/json", "told": "yes"}, got)
	assert.Equal(t, http.Header{"X-Told": {"yes"}}, header, "the caller's header is left alone")
}

func TestTheErrorsOfGetJSONHoldNoQuery(t *testing.T) {
	srv := served(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, c := range map[string]struct{ url, want string }{
		"no URL":             {"https://contoso.test/%zz", "not a URL that can be requested"},
		"no scheme":          {"contoso.test/", "unsupported protocol scheme"},
		"nobody there":       {gone.URL + "/", "connection refused"},
		"another status":     {srv.URL + "/missing", "status 404"},
		"a large refusal":    {srv.URL + "/refused", "status 403"},
		"a page":             {srv.URL + "/page", ErrNotJSON.Error()},
		"too large":          {srv.URL + "/large", "over the limit of 100 bytes"},
		"cut off":            {srv.URL + "/broken", "unexpected EOF"},
		"redirects for ever": {srv.URL + "/round", "stopped after 10 redirects"},
		"no answer in time":  {srv.URL + "/hangs", "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if strings.HasSuffix(c.url, "/hangs") {
				late, expire := checktest.Expiring(t)
				ctx = httptrace.WithClientTrace(late, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { expire() }})
			}
			var into map[string]string
			err := GetJSON(ctx, srv.Client(), Request{URL: c.url + "?token=planted", Max: 100}, &into)
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "planted")
			var refused *StatusError
			if strings.HasPrefix(c.want, "status") {
				require.ErrorAs(t, err, &refused)
				assert.LessOrEqual(t, len(refused.Body), 100)
			}
		})
	}
}
