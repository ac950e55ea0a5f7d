package metadata

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
	"github.com/hmad/hmad/internal/report/intake"
)

// cleared returns the reasons that a run looked at and did not find.
func cleared(d *check.Def, r check.Report) []string {
	said := map[*check.Reason]bool{}
	for _, f := range r.Findings {
		said[f.Reason] = true
	}
	for _, u := range r.Unjudged {
		said[u.Reason] = true
	}
	names := []string{}
	for _, reason := range d.Reasons {
		if !said[reason] {
			names = append(names, reason.Name)
		}
	}
	return names
}

func TestEmptyInputClearsNothing(t *testing.T) {
	one := []report.AuthServer{{Name: evoSTS, Type: report.TypeAzureAD, Realm: testTenant, Enabled: true, Default: true}}
	for name, c := range map[string]struct {
		def  *check.Def
		fill func(*check.Verdict)
		want []string // what was compared all the same
	}{
		"no auth server": {EvoSTSMetadata, func(v *check.Verdict) { judge(v, observation{ledger: new(ledger)}) }, []string{}},
		"no document for the auth server": {EvoSTSMetadata, func(v *check.Verdict) {
			judge(v, observation{held: holding{Servers: one}, servers: one, credential: true, ledger: new(ledger)})
		}, []string{"auth_server_missing", "auth_server_disabled", "default_endpoint_missing", "default_endpoint_ambiguous"}},
		"no server's events": {MetadataRefresh, func(v *check.Verdict) { judgeRefresh(v, traces{mailboxesErr: report.ErrMissing}) }, []string{}},
		"no report":          {OnPremReport, func(v *check.Verdict) { judgeReports(v, nil, nil, intake.Refused{}, noon) }, []string{}},
		"no report that can be read, and no host known": {OnPremReport, func(v *check.Verdict) {
			judgeReports(v, []report.Arrived{{File: "x.json", Err: report.ErrTruncated}}, nil, intake.Refused{}, noon)
		}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			v := c.def.Judge()
			c.fill(v)
			r, _ := v.Report()
			assert.Equal(t, c.want, cleared(c.def, r))
		})
	}
}

func TestFindingsNameWhatTheyConcern(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		run    func(*world) check.Result
		want   func(*world) []string
	}{
		"a missing auth server: its tenant": {func(w *world) { w.server["realm"] = otherTenant }, (*world).run, only(testTenant)},
		"a disabled auth server":            {func(w *world) { w.server["enabled"] = false }, (*world).run, only(evoSTS)},
		"two defaults: the other one first": {func(w *world) { w.others = []map[string]any{server("adfs", "ADFS", "", true, true)} }, (*world).run, only("adfs", evoSTS)},
		"a realm":                           {func(w *world) { w.server["issuerIdentifier"] = "https://sts.example/" }, (*world).run, only(evoSTS)},
		"a key that signs":                  {func(w *world) { w.signing, w.stored = w.published[0], w.stored[1:] }, (*world).run, published(0)},
		"missing certificates, the longest first": {func(w *world) {
			w.run()
			w.stored = w.stored[:1]
			Remember(w.memory, w.published[1], w.now.Add(-9*time.Hour), w.now)
			Remember(w.memory, w.published[2], w.now.Add(-10*time.Hour), w.now)
			l := loadLedger(w.memory, w.now)
			clear(l.Stored)
			l.save(w.memory, w.now)
		}, (*world).run, published(2, 1)},
		"hosts that are late, the latest first": {func(w *world) {
			w.hosts["MBX02"], w.whole = map[string]any{}, true
			w.written = w.now.Add(-2 * time.Hour)
			w.frozen = w.report("MBX01")
			w.written = w.now.Add(-time.Hour)
		}, (*world).onPremReport, only("MBX01", "MBX02")},
		"a file of no host": {func(w *world) { w.hosts = map[string]map[string]any{"not a host!": {}} }, (*world).onPremReport, only("not a host!.json")},
		"a missing host":    {func(w *world) { w.target.OnPrem.Report.Hosts = []string{"MBX01", "MBX03"} }, (*world).onPremReport, only("MBX03")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			r := c.run(w)
			require.Len(t, r.Report.Findings, 1)
			assert.Equal(t, c.want(w), r.Report.Findings[0].About)
		})
	}
	for name, c := range map[string]struct {
		change func(*world)
		want   []string
	}{
		"arbitration mailboxes": {func(w *world) {
			w.both("arbitration", ok([]any{mailbox("a", "DB01", "OrganizationCapabilityManagement"), mailbox("b", "DB01", "OrganizationCapabilityManagement")}))
		}, []string{"a", "b"}},
		"a database": {func(w *world) { w.both("databaseCopies", ok([]any{dbCopy("DB01", "MBX01", "Failed")})) }, []string{"DB01"}},
		"servers that refuse tokens, the most first": {func(w *world) {
			w.oauth("MBX01", w.refused(5, 0, w.published[0]))
			w.oauth("MBX02", w.refused(15, 0, w.published[0]))
		}, []string{"MBX02", "MBX01"}},
		"a server that knows its copy is old":   {func(w *world) { w.oauth("MBX02", w.event(oauthNewKeys, 9*time.Hour, "")) }, []string{"MBX02"}},
		"the server of a failed run":            {func(w *world) { w.job("MBX01", w.event(2003, time.Hour, "")); RememberRun(w.memory, "MBX01", w.now) }, []string{"MBX01"}},
		"the server that should have run again": {func(w *world) { w.job("MBX01", w.event(2015, 13*time.Hour, "")) }, []string{"MBX01"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRefreshWorld(t)
			c.change(w)
			r := w.refresh()
			require.Len(t, r.Report.Findings, 1)
			assert.Equal(t, c.want, r.Report.Findings[0].About)
		})
	}
}

func only(names ...string) func(*world) []string { return func(*world) []string { return names } }

// published returns the thumbprints of published certificates.
func published(indices ...int) func(*world) []string {
	return func(w *world) (names []string) {
		for _, i := range indices {
			names = append(names, ThumbprintOf(w.published[i]).String())
		}
		return names
	}
}

func TestLongStaleSupersedesStale(t *testing.T) {
	w := newWorld(t)
	w.run()
	next := newDER(t, "next", noon)
	w.published = append(w.published, next)
	Remember(w.memory, next, w.now.Add(-14*time.Hour), w.now)
	r := w.run()
	require.Equal(t, "metadata_long_stale", outcome(r))
	assert.Contains(t, r.Report.Unjudged, check.Unjudged{Reason: metadataStale, Why: "reported by metadata_long_stale", Ends: true})
}

func TestWithoutACredentialNoKeySigns(t *testing.T) {
	for name, change := range map[string]func(*world){
		"healthy":                           func(*world) {},
		"the stored copy cannot be read":    func(w *world) { w.hosts = nil },
		"what is published cannot be read":  func(w *world) { w.published = nil },
		"a finding that does not end a run": func(w *world) { w.server["isDefaultAuthorizationEndpoint"] = false },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change(w)
			assert.Contains(t, w.run().Report.Unjudged, check.Unjudged{Reason: signingKeyMissing,
				Why: "exchange_online is not configured: hmad gets no token of its own", Ends: true})
		})
	}
}

// An error of the job stands until a run of the job is seen that had none.
func TestARunThatIsNotSeenDoesNotMendTheOneThatFailed(t *testing.T) {
	w := newRefreshWorld(t)
	w.job("MBX01", w.event(2015, 2*time.Hour, ""), w.event(2010, time.Hour, "unreachable"), w.event(2015, time.Hour, ""))
	before := w.refresh()
	require.Equal(t, "refresh_failing", outcome(before))
	w.job("MBX01")
	after := w.refresh().Report.Carry(before.Report.Findings)
	require.Len(t, after.Findings, 1)
	assert.Equal(t, refreshFailing, after.Findings[0].Reason)
}

func TestFacts(t *testing.T) {
	of := func(r check.Result) map[string]string {
		all := map[string]string{}
		for _, f := range r.Report.Facts {
			all[f.Fact.Name+" "+f.Subject] = f.Value
		}
		return all
	}
	w := newWorld(t)
	w.published, w.stored = w.published[:1], w.stored[:1]
	short := ThumbprintOf(w.published[0]).String()[:8]
	assert.Equal(t, map[string]string{"published_keys " + testURL: short, "stored_keys " + evoSTS: short, "default_auth_server ": evoSTS}, of(w.run()))
	assert.Equal(t, map[string]string{"collector_version MBX01": report.CollectorVersion}, of(w.onPremReport()))
	assert.Equal(t, map[string]string{"refresh_server ": "MBX01"}, of(newRefreshWorld(t).refresh()))
	w.hosts, w.published = nil, nil
	assert.Empty(t, of(w.run()), "what was not seen")
	many := newDERs(t, 20)
	w = newWorld(t)
	w.published, w.stored = many, many
	assert.NotContains(t, of(w.run())["published_keys "+testURL], "…", "twenty fit")
}
