package probes

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
)

func TestBuildsAreKeptADay(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	a := &activesync{env: check.Env{Memory: new(checktest.Memory), Now: func() time.Time { return now }}}
	see := func(frontends ...string) (seen []string) {
		var v Visit
		for _, f := range frontends {
			v.Answers = append(v.Answers, answered(401, "X-FEServer", f, "X-OWA-Version", "15.2.2562.17"))
		}
		for _, s := range buildSamples(t, a, v) {
			assert.Equal(t, 1.0, s.Value)
			seen = append(seen, strings.Join(s.Labels, " "))
		}
		return seen
	}
	ex01, ex02 := "EX01 15.2.2562.17", "EX02 15.2.2562.17"
	assert.Equal(t, []string{ex01}, see("EX01", "EX01"))
	now = now.Add(23 * time.Hour)
	assert.Equal(t, []string{ex01, ex02}, see("EX02"))
	now = now.Add(2 * time.Hour)
	assert.Equal(t, []string{ex02}, see(), "EX01 was last seen 25 hours ago")
	now = now.Add(48 * time.Hour)
	assert.Empty(t, see())
}

func TestBuildsAreBounded(t *testing.T) {
	now := time.Now()
	var known []seenBuild
	for i := range 200 {
		known = addBuild(known, answered(401, "X-FEServer", fmt.Sprintf("EX%03d", i), "X-OWA-Version", "15.2.2562.17"), now.Add(time.Duration(i)))
	}
	known = addBuild(known, answered(401), now)
	known = pruneBuilds(known, now)
	assert.Len(t, known, maxBuilds)
	assert.Equal(t, "EX199", known[maxBuilds-1].Frontend, "the newest are kept")
	long := addBuild(nil, answered(401, "X-FEServer", strings.Repeat("\x01", 500), "X-OWA-Version", "15.2.2562.17"), now)
	assert.LessOrEqual(t, len(long[0].Frontend), maxBuildName+len("…"))
	assert.NotContains(t, long[0].Frontend, "\x01")
}

// A wrong series would stand for a day.
func TestOnlyTheOrganisationsOwnBuildsAreKept(t *testing.T) {
	const ours, clouds = "15.2.2562.17", "15.20.9999.1"
	for name, tc := range map[string]struct {
		answer *Answer
		want   []string
	}{
		"a front end with its build":       {answered(401, "X-FEServer", "EX01", "X-OWA-Version", ours), []string{"EX01 " + ours}},
		"a build whose front end is cut":   {answered(401, "X-OWA-Version", ours), []string{" " + ours}},
		"a front end without its build":    {answered(401, "X-FEServer", "EX01"), nil},
		"nothing of Exchange's":            {answered(401), nil},
		"Exchange Online by its header":    {answered(401, "X-FEServer", "AM0PR01CA0001", "X-OWA-Version", clouds, "X-FEProxyInfo", "x"), nil},
		"Exchange Online by its server":    {answered(401, "X-FEServer", "AM0PR01CA0001.prod.outlook.com", "X-OWA-Version", clouds), nil},
		"Exchange Online by its redirect":  {answered(451, "X-FEServer", "AM0", "X-OWA-Version", clouds, "X-MS-Location", "https://outlook.office365.com/"), nil},
		"Exchange Online by its challenge": {answered(401, "X-FEServer", "AM0", "X-OWA-Version", clouds, "WWW-Authenticate", "Bearer "+cid+`, trusted_issuers="00000001-0000-0000-c000-000000000000@*", `+az), nil},
	} {
		t.Run(name, func(t *testing.T) {
			// What an earlier version kept without a build goes.
			m := new(checktest.Memory)
			m.Put(rememberedBuilds, []seenBuild{{Frontend: "EX01", Seen: time.Now()}})
			a := &activesync{env: check.Env{Memory: m, Now: time.Now}}
			var got []string
			for _, s := range buildSamples(t, a, Visit{Answers: []*Answer{tc.answer}}) {
				got = append(got, strings.Join(s.Labels, " "))
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

// buildSamples returns the samples of a run that made the visit.
func buildSamples(t *testing.T, a *activesync, x Visit) []check.Sample {
	report, _ := ActiveSync.Look(t.Context(), func(_ context.Context, v *check.Verdict) { a.builds(v, []Visit{x}) })
	return report.Samples
}
