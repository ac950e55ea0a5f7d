package intake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
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

// curl runs curl with the arguments and gives the status, the answer's header
// and its body.
func curl(t *testing.T, args ...string) (code, header, body string) {
	t.Helper()
	head, out := checktest.Written(t, "head", ""), checktest.Written(t, "body", "")
	ctx, cancel := context.WithTimeout(context.Background(), checktest.Patience)
	defer cancel()
	base := []string{"--silent", "--show-error", "--noproxy", "*", "--output", out, "--dump-header", head, "--write-out", "%{http_code}"}
	printed, err := exec.CommandContext(ctx, checktest.Program(t, "curl", "curl"), append(base, args...)...).CombinedOutput()
	if err != nil {
		return "", "", string(printed)
	}
	h, err := os.ReadFile(head)
	require.NoError(t, err)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	return string(printed), string(h), string(b)
}

func TestCurlPushesReports(t *testing.T) {
	ca := checktest.NewCA(t)
	server := ca.Issue(t)
	in, _ := intake(t, func(r *config.Report) { r.CertFile, r.KeyFile = server.CertFile, server.KeyFile })
	url := listening(t, in)
	later := func(minutes int) time.Time { return sampleTime.Add(time.Duration(minutes) * time.Minute) }
	const date = `"2026-11-22T09:15:00.0000000Z"`

	// In order: each report is judged against the ones before it.
	for _, c := range []struct {
		name, body string
		args       []string
		code, want string
	}{
		{"a good report", sample(t), nil, "204", ""},
		{"a second host", reportOf(t, "EX02", later(0)), nil, "204", ""},
		{"no token", reportOf(t, "EX01", later(1)), []string{"--header", "Authorization:"}, "401", "want the bearer token"},
		{"a wrong token", reportOf(t, "EX01", later(1)), []string{"--header", "Authorization: Bearer no"}, "401", "want the bearer token"},
		{"a replayed report", sample(t), nil, "409", "not newer than the last report"},
		{"an older report", reportOf(t, "EX01", later(-30)), nil, "409", "not newer than the last report"},
		{"a truncated report", reportOf(t, "EX01", later(1))[:5000], nil, "422", "is incomplete"},
		{"an unknown schema", strings.Replace(reportOf(t, "EX01", later(1)), `"schema": 1`, `"schema": 2`, 1), nil, "422", "unknown schema: got 2"},
		{"a date far ahead", reportOf(t, "EX01", later(60)), nil, "422", "ahead of this host's clock"},
		{"a gzip bomb", packed(t, strings.Repeat(" ", report.MaxSize+1)), []string{"--header", "Content-Encoding: gzip"}, "413", "over 8388608 bytes"},
		{"a body over the limit", strings.Repeat(" ", report.MaxSize+1), nil, "413", "over 8388608 bytes"},
		{"a byte order mark", "\xef\xbb\xbf" + reportOf(t, "EX01", later(1)), nil, "204", ""},
		{"/Date(…)/ dates", replaced(t, date, fmt.Sprintf(`"\/Date(%d)\/"`, later(2).UnixMilli())), nil, "204", ""},
		{"packed", packed(t, reportOf(t, "EX01", later(3))), []string{"--header", "Content-Encoding: gzip"}, "204", ""},
		{"arrays of one collapsed", strings.Replace(reportOf(t, "EX01", later(4)), `"data": [{"defaultAccessLevel": "Block"}]`, `"data": {"defaultAccessLevel": "Block"}`, 1), nil, "204", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"--cacert", ca.File, "--data-binary", "@" + checktest.Written(t, "report.json", c.body),
				"--header", "Content-Type: application/json"}, c.args...)
			if !strings.Contains(strings.Join(c.args, " "), "Authorization") {
				args = append(args, "--header", "Authorization: Bearer "+pushToken)
			}
			code, header, body := curl(t, append(args, url)...)
			assert.Equal(t, c.code, code, body)
			assert.Contains(t, body, c.want)
			assert.Equal(t, c.code == "401", strings.Contains(header, "Www-Authenticate: Bearer"))
			assert.NotContains(t, header+body, pushToken)
		})
	}

	got, err := report.ReadFolder(in.env, in.env.Reports)
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, []string{"EX01", "EX02"}, []string{got[0].Host, got[1].Host})
	assert.Equal(t, later(4), got[0].GeneratedAt)
	settings, err := got[0].ActiveSyncSettings()
	require.NoError(t, err)
	assert.Equal(t, report.AccessBlock, settings.DefaultAccessLevel)
}

func TestCurlPushesWithAClientCertificate(t *testing.T) {
	ca := checktest.NewCA(t)
	server, client := ca.Issue(t), ca.Issue(t, "ex01.contoso.com")
	in, _ := intake(t, func(r *config.Report) {
		r.CertFile, r.KeyFile, r.ClientCAFile, r.TokenFile = server.CertFile, server.KeyFile, ca.File, ""
	})
	url := listening(t, in)
	args := []string{"--cacert", ca.File, "--data-binary", "@../testdata/reports/ex01.json", "--header", "Content-Type: application/json", url}
	code, _, body := curl(t, append([]string{"--cert", client.CertFile, "--key", client.KeyFile}, args...)...)
	assert.Equal(t, "204", code, body)
	_, _, body = curl(t, args...)
	assert.Contains(t, body, "certificate required", "without one the handshake fails")
}

// doneMeter tells when a push has been answered.
type doneMeter chan string

func (d doneMeter) Add(_ *check.Metric, _ float64, labels ...string) { d <- labels[0] }
func (d doneMeter) Observe(*check.Metric, float64, ...string)        {}

func TestAPushThatBreaksOffIsNotKept(t *testing.T) {
	ca := checktest.NewCA(t)
	server := ca.Issue(t)
	in, _ := intake(t, func(r *config.Report) { r.CertFile, r.KeyFile = server.CertFile, server.KeyFile })
	done := make(doneMeter, 1)
	in.env.Meter = done
	trust := &tls.Config{RootCAs: x509.NewCertPool()}
	trust.RootCAs.AddCert(ca.Cert)
	addr := strings.TrimSuffix(strings.TrimPrefix(listening(t, in), "https://"), Path)
	conn, err := tls.Dial("tcp", addr, trust)
	require.NoError(t, err)
	body := sample(t)
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: hmad\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		Path, pushToken, len(body), body[:len(body)/2])
	require.NoError(t, err)
	require.NoError(t, conn.CloseWrite())
	io.Copy(io.Discard, conn)
	conn.Close()
	assert.Equal(t, "400", <-done)
	files, err := os.ReadDir(in.env.Reports)
	require.NoError(t, err)
	assert.Empty(t, files)
}
