package exporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

func TestDocumentOfNothing(t *testing.T) {
	assert.JSONEq(t, `{"version":1,"results":[]}`, encode(t, Document(nil)))
}

func TestDocumentHasEveryKey(t *testing.T) {
	r := check.Result{Check: "activesync", Target: "contoso",
		Start: time.Date(2026, 11, 22, 10, 15, 0, 250_400_000, time.FixedZone("", 3600)), Took: 120 * time.Millisecond,
		Report: check.Report{
			Findings: []check.Finding{{Reason: bearerMissing, Detail: "only Basic"}, {Reason: expiring, Accepted: true, Carried: true, About: []string{"mail.contoso.com"}}},
			Unjudged: []check.Unjudged{{Reason: dnsFailed, Why: "no address"}},
			Samples: []check.Sample{{Metric: notAfter, Value: 1.9e9, Labels: []string{"mail.contoso.com", ""}},
				{Metric: offered, Value: math.NaN(), Labels: []string{"basic"}}, {Metric: offered, Value: math.Inf(-1), Labels: []string{"bearer", "surplus"}}},
			Notes: []check.Note{{Kind: check.Seen, Text: "WWW-Authenticate: Basic\x00\xff"}, {Kind: check.Repeat, Text: "curl x"}, {Kind: check.Timeline, Text: "stored"}},
		},
		Err: check.Errorf(check.Resolver, "no answer")}
	assert.JSONEq(t, fmt.Sprintf(`{"version":1,"results":[{
		"check":"activesync","target":"contoso","outcome":"failed","start":"2026-11-22T09:15:00.25Z","duration_seconds":0.12,
		"findings":[
			{"reason":"bearer_missing","severity":"critical","detail":"only Basic","summary":%q,"fix":%q,"accepted":false,"carried":false,"about":[]},
			{"reason":"certificate_expiring","severity":"warning","detail":"","summary":%q,"fix":%q,"accepted":true,"carried":true,"about":["mail.contoso.com"]}],
		"unevaluated":["dns_failed"],"unjudged":[{"reason":"dns_failed","why":"no address"}],
		"samples":[
			{"metric":"hmad_tls_certificate_not_after_timestamp_seconds","labels":{"host":"mail.contoso.com","address":""},"value":1.9e9},
			{"metric":"hmad_challenge_scheme_offered","labels":{"scheme":"basic"},"value":null},
			{"metric":"hmad_challenge_scheme_offered","labels":{"scheme":"bearer","1":"surplus"},"value":null}],
		"notes":["WWW-Authenticate: Basic\u0000\ufffd","curl x","stored"],"repeat":["curl x"],"timeline":["stored"],
		"error":{"class":"resolver","message":"no answer"}}]}`,
		bearerMissing.Summary, bearerMissing.Fix, expiring.Summary, expiring.Fix), encode(t, Document([]check.Result{r})))
}

func TestDocumentListsAreNeverNull(t *testing.T) {
	assert.JSONEq(t, `{"check":"vantage","target":"contoso","outcome":"passed","start":"2026-11-22T12:00:00Z","duration_seconds":0,
		"findings":[],"unevaluated":[],"unjudged":[],"samples":[],"notes":[],"repeat":[],"timeline":[],"error":null}`,
		encode(t, newResultDoc(check.Result{Check: "vantage", Target: "contoso", Start: noon})))
}

func TestDocumentNamesTheErrorClass(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"its own":        {fmt.Errorf("run: %w", check.Errorf(check.LDAP, "refused")), "ldap"},
		"skipped":        {check.Skip("no URL from autodiscover"), "skipped"},
		"without class":  {errors.New("x"), "other"},
		"a panic's":      {check.Errorf(check.Panic, "index out of range"), "panic"},
		"vantage closed": {check.Errorf(check.VantageOffline, "no route"), "vantage_offline"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, newResultDoc(check.Result{Err: c.err}).Error.Class) })
	}
}
