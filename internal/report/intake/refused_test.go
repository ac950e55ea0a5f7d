package intake

import (
	"crypto/tls"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

// remembering is an intake with a memory, and a way to ask it.
func remembering(t *testing.T, edit func(*config.Report)) (*Server, func() Refused) {
	t.Helper()
	in, _ := intake(t, edit)
	m := new(checktest.Memory)
	in.env.Memory, in.refused.memory = m, m
	return in, func() Refused { return RefusedOf(m, in.env.Now()) }
}

func TestARefusedPushIsRememberedByItsHost(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		header []string
		host   string
		code   int
	}{
		"a replay":                        {sample(t), []string{HostHeader, "EX01"}, "ex01", 409},
		"a broken body, by the header":    {"{", []string{HostHeader, "ex02.contoso.com"}, "ex02", 422},
		"another type, by the header":     {"{", []string{HostHeader, "EX02", "Content-Type", "text/plain"}, "ex02", 415},
		"a header unlike the body's host": {reportOf(t, "EX01", sampleTime.Add(time.Minute)), []string{HostHeader, "EX03"}, "ex03", 422},
		"no header, by the body":          {sample(t), nil, "ex01", 409},
	} {
		t.Run(name, func(t *testing.T) {
			in, refused := remembering(t, nil)
			in.ServeHTTP(httptest.NewRecorder(), push(sample(t)))
			assert.Empty(t, refused().Hosts, "a report that is taken is none")
			w := httptest.NewRecorder()
			in.ServeHTTP(w, push(c.body, c.header...))
			assert.Equal(t, c.code, w.Code)
			no, ok := refused().After(c.host, sampleTime.Add(-time.Hour))
			require.True(t, ok)
			assert.Equal(t, Refusal{sampleTime, c.code}, no)
			_, ok = refused().After(c.host, sampleTime)
			assert.False(t, ok, "none is later than a report of now")
			assert.Empty(t, refused().Addresses)
		})
	}
}

func TestAReplayIsToldTheTimeOfTheKeptReport(t *testing.T) {
	in, _ := intake(t, nil)
	at := sampleTime.Add(-time.Minute + 1234500*time.Nanosecond)
	in.ServeHTTP(httptest.NewRecorder(), push(reportOf(t, "EX01", at)))
	w := httptest.NewRecorder()
	in.ServeHTTP(w, push(reportOf(t, "EX01", at)))
	assert.Equal(t, 409, w.Code)
	assert.Contains(t, w.Body.String(), "generatedAt 2026-11-22T09:14:00.0012345Z", "as the collector writes it")
}

func TestStrangersAreAListOfAddresses(t *testing.T) {
	in, refused := remembering(t, nil)
	for i := range 20 {
		for range 1 + i%2 {
			r := push(sample(t), "Authorization", "Bearer wrong", HostHeader, "EX01")
			r.RemoteAddr = fmt.Sprintf("10.0.0.%d:1234", i)
			in.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	got := refused()
	require.Len(t, got.Addresses, 16)
	assert.Empty(t, got.Hosts, "what is unproven is nobody's")
	last := got.Addresses[0]
	assert.Equal(t, "EX01", last.Claimed)
	assert.Equal(t, 401, last.Code)
	assert.Contains(t, last.String(), "answered 401, claims to be EX01 (unproven)")
	r := push(sample(t), "Authorization", "Bearer wrong", HostHeader, "a b\"<script>")
	r.RemoteAddr = "[2001:db8::1]:1234"
	in.ServeHTTP(httptest.NewRecorder(), r)
	for _, a := range refused().Addresses {
		assert.NotContains(t, a.Claimed, "script", "a claim that is no host's name is none")
	}
	assert.Empty(t, RefusedOf(in.env.Memory, sampleTime.Add(8*24*time.Hour)).Addresses, "after a week it is forgotten")
}

func TestAFailedHandshakeIsRemembered(t *testing.T) {
	ca := checktest.NewCA(t)
	server := ca.Issue(t)
	in, refused := remembering(t, func(r *config.Report) { r.CertFile, r.KeyFile = server.CertFile, server.KeyFile })
	addr := strings.TrimSuffix(strings.TrimPrefix(listening(t, in), "https://"), Path)
	_, err := tls.Dial("tcp", addr, &tls.Config{MinVersion: tls.VersionTLS12})
	require.Error(t, err, "the CA is not trusted")
	require.Eventually(t, func() bool { return len(refused().Addresses) == 1 }, checktest.Patience, 10*time.Millisecond)
	got := refused().Addresses[0]
	assert.Equal(t, "127.0.0.1", got.Address)
	assert.Contains(t, got.String(), "the TLS handshake failed")
}
