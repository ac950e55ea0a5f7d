package lab

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unmarshal[T any](t *testing.T, text string) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

// control puts one request to the control port; change may spoil it.
func control(t *testing.T, l *Lab, method, path string, change func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, l.Facts().Control+path, nil)
	require.NoError(t, err)
	if change != nil {
		change(r)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
	return resp.StatusCode, string(body)
}

func TestControlSwitchesFaults(t *testing.T) {
	l := start(t)
	listed := func() (on []string) {
		status, body := control(t, l, http.MethodGet, "/faults", nil)
		require.Equal(t, 200, status)
		faults := unmarshal[[]map[string]any](t, body)
		assert.Len(t, faults, len(l.Faults()))
		assert.Regexp(t, `(?s)^\[\n  \{\n    "name": .*\n\]\n$`, body, "to be read in a terminal")
		for _, f := range faults {
			assert.Len(t, f, 3)
			assert.NotEmpty(t, f["doc"])
			if f["on"].(bool) {
				on = append(on, f["name"].(string))
			}
		}
		return on
	}
	assert.Empty(t, listed())
	status, _ := control(t, l, http.MethodPut, "/faults/activesync.bearer_missing", nil)
	assert.Equal(t, 204, status)
	assert.Equal(t, []string{"activesync.bearer_missing"}, listed())
	status, _ = control(t, l, http.MethodDelete, "/faults/activesync.bearer_missing", nil)
	assert.Equal(t, 204, status)
	assert.Empty(t, listed())
	checkHealthy(t, l, "activesync")
}

func TestControlRefuses(t *testing.T) {
	l := start(t)
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	for name, c := range map[string]struct {
		method, path string
		change       func(*http.Request)
		status       int
	}{
		"an unknown fault":                     {"PUT", "/faults/activesync.bearer_mising", nil, 404},
		"an unknown fault switched off":        {"DELETE", "/faults/activesync.bearer_mising", nil, 404},
		"another method":                       {"POST", "/faults/activesync.blocked", nil, 405},
		"another path":                         {"GET", "/other", nil, 404},
		"a name that leads here from outside":  {"PUT", "/faults/activesync.blocked", host("evil.contoso.com:9750"), 403},
		"an address that is not loopback":      {"GET", "/faults", host("192.0.2.1"), 403},
		"a name that only begins as localhost": {"GET", "/faults", host("localhost.contoso.com"), 403},
		"a page of another origin":             {"PUT", "/faults/activesync.blocked", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"localhost, which is fine":             {"GET", "/faults", host("localhost:9750"), 200},
		"loopback of IPv6, which is fine":      {"GET", "/faults", host("[::1]:9750"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := control(t, l, c.method, c.path, c.change)
			assert.Equal(t, c.status, status)
			if status == 404 && c.path != "/other" {
				assert.Equal(t, 1, strings.Count(body, "\n"), body)
				assert.Contains(t, body, "activesync.bearer_missing")
			}
		})
	}
	for _, f := range l.Faults() {
		assert.False(t, f.On, f.Name)
	}
}

func TestControlSaysWhatItTakes(t *testing.T) {
	l := start(t)
	status, body := control(t, l, http.MethodGet, "/", nil)
	assert.Equal(t, 200, status)
	for _, line := range strings.Split(strings.TrimSpace(body), "\n")[1:] {
		method, path, _ := strings.Cut(strings.Fields(line)[0]+" "+strings.Fields(line)[1], " ")
		status, _ := control(t, l, method, strings.Replace(path, "NAME", "activesync.bearer_missing", 1), nil)
		assert.Less(t, status, 300, line)
	}
}
