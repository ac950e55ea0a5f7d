package metadata

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

// credential hands out a token, or fails.
type credential struct {
	token  string
	err    error
	scopes []string
}

func (c *credential) Fresh(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.scopes = o.Scopes
	return azcore.AccessToken{Token: c.token}, c.err
}

func jwt(header string) string { return jwtOf(header, noon) }

func jwtOf(header string, issued time.Time) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(header)) + "." + part(fmt.Appendf(nil, `{"secret":"planted","iat":%d}`, issued.Unix())) + ".c2lnbmF0dXJl"
}

// Whoever keeps tokens for hmad, as the platform of a managed identity does,
// hides a roll: the reason is then not judged, and the key counts from when the
// token was issued.
func TestAnOldTokenDoesNotSayWhatSignsNow(t *testing.T) {
	for name, tc := range map[string]struct {
		age  time.Duration
		want bool
	}{"new": {0, true}, "dated back as Entra does": {5 * time.Minute, true}, "an hour old": {time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			key := ThumbprintOf(w.published[0])
			e := buildEvoSTS(w.target, w.env(), w.fetch)
			e.keyID = keyIDOf(&credential{token: jwtOf(fmt.Sprintf(`{"x5t":%q}`, keyIDFor(key)), noon.Add(-tc.age))})
			r := judged(t, EvoSTSMetadata, e.run)
			require.NoError(t, r.Err)
			assert.Equal(t, !tc.want, strings.Contains(fmt.Sprint(reasonNames(r.Report.Unevaluated())), "signing_key_missing"))
			assert.Equal(t, !tc.want, strings.Contains(strings.Join(r.Report.Texts(), "\n"), "hmad got no new token, only one of 2026-11-22 11:00 UTC"))
			assert.Equal(t, noon.Add(-tc.age), loadLedger(w.memory, noon).Used[key])
		})
	}
}

func TestKeysOfTheDayDoNotStandInForAToken(t *testing.T) {
	w := newWorld(t)
	w.signing = w.published[0]
	require.Equal(t, "good", outcome(w.run()))
	w.signing = []byte{}
	w.now = w.now.Add(step)
	r := w.run()
	assert.Equal(t, "error:token", outcome(r))
	assert.Contains(t, r.Report.Unevaluated(), signingKeyMissing)
}

func TestKeyOfATokenAndNothingElseOfIt(t *testing.T) {
	w := newWorld(t)
	key := ThumbprintOf(w.published[0])
	c := &credential{token: jwt(fmt.Sprintf(`{"typ":"JWT","alg":"RS256","x5t":%q,"kid":%q}`, keyIDFor(key), keyIDFor(key)))}
	e := buildEvoSTS(w.target, w.env(), w.fetch)
	e.keyID = keyIDOf(c)
	r := judged(t, EvoSTSMetadata, e.run)
	require.NoError(t, r.Err)
	assert.NotContains(t, r.Report.Unevaluated(), signingKeyMissing)
	assert.Equal(t, []string{"https://outlook.office365.com/.default"}, c.scopes)

	kept := fmt.Sprintf("%s %+v", w.memory.Kept()[ledgerKey], r.Report)
	assert.Contains(t, kept, key.String())
	for _, part := range strings.Split(c.token, ".") {
		assert.NotContains(t, kept, part)
	}
}

func TestTokensThatNameNoKey(t *testing.T) {
	for name, c := range map[string]*credential{
		"no token":              {err: errors.New("AADSTS7000215: Invalid client secret provided")},
		"no JWT":                {token: "planted-token"},
		"no key":                {token: jwt(`{"alg":"RS256"}`)},
		"no time of issue":      {token: "eyJ4NXQiOiJpaHdyUFU1ZllIR0NrNlMxeHRmby1RRWpSV2MifQ.e30.x"},
		"a key that is no SHA1": {token: jwt(`{"alg":"RS256","kid":"planted-kid"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			e := buildEvoSTS(w.target, w.env(), w.fetch)
			e.keyID = keyIDOf(c)
			r := judged(t, EvoSTSMetadata, e.run)
			require.Equal(t, check.Token, check.ClassOf(r.Err))
			assert.Contains(t, r.Report.Unevaluated(), signingKeyMissing)
			assert.NotContains(t, r.Err.Error(), "planted-token")
			assert.NotContains(t, r.Report.Unevaluated(), metadataStale, "the rest is judged")
		})
	}
}

func TestRememberTakesEffectAtTheNextRun(t *testing.T) {
	for age, want := range map[time.Duration]string{7 * time.Hour: "good", 9 * time.Hour: "metadata_stale", 14 * time.Hour: "metadata_long_stale"} {
		w := newWorld(t)
		w.run()
		next := newDER(t, "next", noon.AddDate(0, 0, -20))
		w.published = append(w.published, next)
		Remember(w.memory, next, w.now.Add(-age), w.now)
		assert.Equal(t, want, outcome(w.run()), age)
	}
}

func TestTheLedgerStaysSmallAndForgets(t *testing.T) {
	m := new(checktest.Memory)
	l := loadLedger(m, noon)
	var old []Certificate
	for i := range maxLedger + 50 {
		old = append(old, Certificate{Thumbprint: ThumbprintOf([]byte{byte(i), byte(i >> 8)})})
	}
	l.publishedNow(noon, old)
	l.storedNow("EvoSts", noon, old)
	l.save(m, noon)
	assert.Len(t, loadLedger(m, noon).Published, maxLedger)
	assert.Len(t, loadLedger(m, noon).Stored["EvoSts"], maxLedger)

	l = loadLedger(m, noon)
	later := noon.Add(step)
	l.publishedNow(later, old[:1])
	l.storedNow("EvoSts", later, old[:1])
	l.save(m, noon.Add(forgetAfter+time.Hour))
	l = loadLedger(m, noon.Add(forgetAfter+time.Hour))
	assert.Len(t, l.Published, 1)
	assert.Len(t, l.Stored["EvoSts"], 1)
}

func TestADamagedLedgerIsBegunAnew(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":   `{`,
		"no ledger": `[1]`,
		"nulls":     `{"published":{"` + strings.Repeat("AB", 20) + `":null},"stored":{"x":null,"y":{"` + strings.Repeat("AB", 20) + `":null}},"used":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.memory.Lay(ledgerKey, []byte(text))
			assert.Equal(t, "good", outcome(w.run()))
		})
	}
}

func TestFirstPublished(t *testing.T) {
	long := noon.Add(-3 * time.Hour)
	for name, tc := range map[string]struct {
		notBefore, before time.Time
		want              since
	}{
		"seen arriving":                       {noon.AddDate(0, 0, -9), noon.Add(-step), since{noon, noon}},
		"the first look of all":               {noon.AddDate(0, 0, -9), time.Time{}, since{noon, noon.AddDate(0, 0, -9)}},
		"the first look, dates unknown":       {time.Time{}, time.Time{}, since{noon, time.Time{}}},
		"the first look, not valid yet":       {noon.AddDate(0, 0, 1), time.Time{}, since{noon, noon}},
		"a gap, valid before it":              {noon.AddDate(0, 0, -9), long, since{noon, long}},
		"a gap, valid within it":              {noon.Add(-time.Hour), long, since{noon, noon.Add(-time.Hour)}},
		"the clock was set back since":        {noon.AddDate(0, 0, -9), noon.Add(time.Hour), since{noon, noon}},
		"seen arriving, not valid until next": {noon.AddDate(0, 0, 1), noon.Add(-step), since{noon, noon}},
	} {
		assert.Equal(t, tc.want, firstPublished(Certificate{NotBefore: tc.notBefore}, tc.before, noon), name)
	}
}

func TestAges(t *testing.T) {
	for name, tc := range map[string]struct {
		since since
		want  string
	}{
		"exact":            {since{noon.Add(-90 * time.Minute), noon.Add(-90 * time.Minute)}, "1 h 30 min"},
		"an interval":      {since{noon.Add(-time.Hour), noon.Add(-25 * time.Hour)}, "1 h to 1 d 1 h"},
		"open":             {since{At: noon.Add(-time.Hour)}, "at least 1 h"},
		"from a later day": {since{noon.Add(time.Hour), noon.Add(time.Hour)}, "0 s"},
	} {
		assert.Equal(t, tc.want, tc.since.at(noon).String(), name)
	}
}
