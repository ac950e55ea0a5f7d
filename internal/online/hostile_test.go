package online

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// zipped compresses an answer whatever it is asked for.
func zipped(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(body)
		_ = z.Close()
	}
}

// cutOff sends the head of an answer and breaks the connection.
func cutOff(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = fmt.Fprint(w, body)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func TestHostileAnswersAreBounded(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"value":[{"x":"`)
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 64<<10)); err != nil {
				return
			}
		}
	}
	many := func(n int) string {
		var wide strings.Builder
		for i := range n {
			fmt.Fprintf(&wide, `"p%d":1,`, i)
		}
		return wide.String()
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   Kind
		want   string
	}{
		"a million rows":            {says(200, value("", "{}"+strings.Repeat(",{}", 1e6))), Invalid, "over 5000 rows"},
		"a row without end":         {says(200, value("", "{"+many(2000)+`"x":1}`)), Invalid, "over 500 properties"},
		"values without end":        {says(200, value("", strings.TrimSuffix(strings.Repeat("{"+many(500)+`"x":1},`, 1100), ","))), Invalid, "over 500000 values"},
		"keys that are skipped":     {says(200, value("", "{"+strings.TrimSuffix(strings.Repeat(`"a@b":1,`, 2000), ",")+"}")), Invalid, "over 500 properties"},
		"errors without end":        {says(200, `{"@adminapi.errors":[`+strings.Repeat("0,", 5e6)+`0]}`), BadRequest, "an error in place of an answer"},
		"an error of 10 MB":         {says(200, `{"error":{"details":[`+strings.Repeat("{},", 3e6)+`{}]}}`), BadRequest, "an error in place of an answer"},
		"errors that are no texts":  {says(200, `{"@adminapi.errors":[{"a":[1]},[2],null,true,7,"Cannot bind parameter x"]}`), BadRequest, "Cannot bind parameter"},
		"errors that are an object": {says(200, `{"@adminapi.errors":{"a":1},"value":[]}`), BadRequest, "an error in place of an answer"},
		"an error that is a number": {says(200, `{"error":7}`), Invalid, "does not come from the API"},
		"an error that is a list":   {says(200, `{"error":[{"message":"x"}]}`), Invalid, "does not come from the API"},
		"deep JSON":                 {says(200, value("", `{"x":`+strings.Repeat("[", 1e5)+strings.Repeat("]", 1e5)+`}`)), Invalid, "nests deeper than 32"},
		"deep JSON in an error":     {says(400, strings.Repeat(`{"error":`, 1e4)), BadRequest, "bad request"},
		"a body without end":        {endless, Invalid, "over 16777216 bytes"},
		"a bomb":                    {zipped(make([]byte, 64<<20)), Invalid, "over 16777216 bytes"},
		"an error without end":      {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); endless(w, r) }, Transient, "internal server error"},
		"a broken connection":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Transient, "the request was lost"},
		"a broken body":             {cutOff(`{"value":[{"x":1},`), Transient, "the request was lost: unexpected EOF"},
		"JSON that ends":            {says(200, `{"value":[{"x":1},`), Transient, "is incomplete"},
		"a page in place of JSON":   {says(200, "<html><body>Sign in</body></html>"), Invalid, "does not come from the API"},
		"a list in place of JSON":   {says(200, `[{"x":1}]`), Invalid, "does not come from the API"},
		"two answers":               {says(200, `{"value":[]}{"value":[]}`), Invalid, "does not come from the API"},
		"a value that is an object": {says(200, `{"value":{"x":1}}`), Invalid, "does not come from the API"},
		"a row that is a text":      {says(200, `{"value":["x"]}`), Invalid, "does not come from the API"},
		"a link that is a number":   {says(200, `{"value":[],"@odata.nextLink":7}`), Invalid, "does not come from the API"},
		"headers without end":       {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", strings.Repeat("x", 100<<10)) }, Transient, "the request was lost"},
		"a status that is none":     {says(299, ""), Invalid, "a status that is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, c.answer)
			rows, err := o.devices(Options{})
			require.Error(t, err)
			e := failure(t, err)
			assert.Equal(t, c.kind, e.Kind)
			assert.Contains(t, e.Text, c.want)
			assert.Empty(t, rows.Rows, "nothing of it passes for an answer")
		})
	}
}

func TestGzipAnswers(t *testing.T) {
	got, err := newOffice(t, zipped([]byte(value("", `{"DeviceId":"A"}`)))).devices(Options{})
	require.NoError(t, err)
	assert.Equal(t, "A", got.Rows[0].String("DeviceId"))
}

func TestInvalidUTF8IsMadeValid(t *testing.T) {
	got, err := newOffice(t, says(200, value("", "{\"DeviceModel\":\"Out\xfflook\\ud800\\u0000x\\u202e\"}"))).devices(Options{})
	require.NoError(t, err)
	assert.Equal(t, "Out\uFFFDlook\uFFFD x", got.Rows[0].String("DeviceModel"))
}

func TestRedirectsDoNotCarryTheToken(t *testing.T) {
	elsewhere := newOffice(t, says(200, value("", `{"DeviceId":"evil"}`)))
	o := newOffice(t, nil)
	for _, status := range []int{301, 302, 303, 307, 308} {
		o.api.answers[0] = says(status, "", "Location", elsewhere.first(nil))
		_, err := o.devices(Options{})
		assert.Equal(t, Invalid, failure(t, err).Kind, status)
	}
	assert.Empty(t, elsewhere.api.requests())
}

// silent answers nothing until the client has gone.
func silent(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// drip sends a head and then nothing until the client has gone.
func drip(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, `{"value":[`)
	_ = http.NewResponseController(w).Flush()
	silent(w, r)
}

func TestAnswersThatDoNotComeInTime(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{"no answer": silent, "half an answer": drip} {
		t.Run(name, func(t *testing.T) {
			ctx, expire := checktest.Expiring(t)
			o := newOffice(t, says(200, value("")), func(w http.ResponseWriter, r *http.Request) { time.AfterFunc(100*time.Millisecond, expire); h(w, r) })
			_, err := o.devices(Options{}) // a token is there now
			require.NoError(t, err)
			_, err = o.Invoke(ctx, "Get-OrganizationConfig", nil, Options{})
			e := failure(t, err)
			assert.Equal(t, Transient, e.Kind)
			assert.Equal(t, check.Timeout, check.ClassOf(err))
			assert.Equal(t, "no answer in time", e.Text)
			assert.Equal(t, 1.0, o.meter.counts["hmad_exchange_online_requests_totalGet-OrganizationConfig,error"])
		})
	}
	t.Run("the caller has gone", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o := newOffice(t, func(w http.ResponseWriter, r *http.Request) { cancel(); silent(w, r) })
		_, err := o.Invoke(ctx, "Get-OrganizationConfig", nil, Options{})
		require.ErrorIs(t, err, context.Canceled)
		var e *CmdletError
		assert.NotErrorAs(t, err, &e)
	})
	t.Run("the caller has gone between pages", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o := newOffice(t, says(200, value("/adminapi/beta/x/InvokeCommand?$skiptoken=1")), func(w http.ResponseWriter, r *http.Request) { cancel(); silent(w, r) })
		_, err := o.Invoke(ctx, "Get-OrganizationConfig", nil, Options{})
		require.ErrorIs(t, err, context.Canceled, "not an incomplete answer")
	})
}

func TestTheWayOutIsToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(*check.Env)
		class *check.Class
		want  string
	}{
		"no name": {func(e *check.Env) {
			e.Resolve = func(context.Context, string, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
		}, check.Resolver, "outlook.contoso.test cannot be resolved: no such host"},
		"no connection": {func(e *check.Env) {
			e.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
		}, check.VantageOffline, "the request was lost: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, says(200, value("")))
			_, err := o.devices(Options{})
			require.NoError(t, err)
			o.Close()
			way, err := transport.New(config.Target{}, edited(o.env, c.edit))
			require.NoError(t, err)
			o.client.Transport = way.Transport()
			_, err = o.devices(Options{})
			e := failure(t, err)
			assert.Equal(t, Transient, e.Kind)
			assert.Equal(t, c.class, check.ClassOf(err))
			assert.Equal(t, c.want, e.Text)
		})
	}
}

func edited(env check.Env, edit func(*check.Env)) check.Env {
	edit(&env)
	return env
}
