package exporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

func TestTheChain(t *testing.T) {
	stepped := func(name string, steps ...int) *check.Def { return &check.Def{Name: name, Steps: steps} }
	off, needs := stepped("sync", 4), stepped("tenant", 5)
	off.Off, needs.Needs = true, "`graph`"
	defs := []*check.Def{stepped("autodiscover", 1), stepped("activesync", 2, 7), stepped("configuration", 1, 2), off, needs}
	run := func(name string, r check.Result) state.Status {
		return told(check.ID{Check: name, Target: "contoso"}, r)
	}
	undecided := check.Result{Start: noon, Err: check.Errorf(check.VantageOffline, "no route")}
	c := newChain(defs, []state.Status{
		run("autodiscover", foundAt(noon, check.Finding{Reason: dnsFailed})), run("configuration", passedAt(noon)), run("activesync", undecided)})
	for i, want := range []string{"failed", "undecided", "unwatched", "unwatched", "unwatched", "unwatched", "undecided", "unwatched"} {
		assert.Equal(t, want, c.Steps[i].Class, check.Flow[i].Title)
	}
	assert.Equal(t, anchor(check.ID{Check: "autodiscover", Target: "contoso"}), c.Steps[0].Anchor, "the worst of the checks")
	assert.Equal(t, "autodiscover: failed, configuration: passed", c.Steps[0].Names)
	assert.Equal(t, []unwatched{
		{"3 sign-in", "no check looks at it"}, {"4 provisioning", "sync is off until it is enabled"}, {"5 service token", "tenant needs `graph`"},
		{"6 cloud copy", "no check looks at it"}, {"8 mail arrives", "no check looks at it"}}, c.Unwatched)
}

func TestFindingsStandUnderTheirCause(t *testing.T) {
	auto := &check.Def{Name: "autodiscover", Reasons: []*check.Reason{dnsFailed},
		Implies: []check.Implication{{Causes: []*check.Reason{dnsFailed}, Effects: []string{"activesync.bearer_missing", "vantage.undecided"}}}}
	f := facts{now: noon, causes: check.CausesOf([]*check.Def{auto}), hold: func(string, string) time.Duration { return 0 }}
	at := noon.Add(-time.Hour)
	got := causes(f, []state.Status{
		told(check.ID{Check: "activesync", Target: "contoso"}, foundAt(at, check.Finding{Reason: chainIncomplete}, check.Finding{Reason: bearerMissing})),
		told(check.ID{Check: "autodiscover", Target: "contoso"}, foundAt(at, check.Finding{Reason: dnsFailed}, check.Finding{Reason: expiring, Accepted: true}))})
	require.Len(t, got, 2)
	assert.Equal(t, "autodiscover.dns_failed", got[0].Name)
	assert.Equal(t, []string{"activesync.bearer_missing"}, got[0].Effects)
	assert.Equal(t, "activesync.certificate_chain_incomplete", got[1].Name)
	assert.Empty(t, got[1].Effects)
}

func TestChangesOfTheLastDayNewestFirst(t *testing.T) {
	fact := func(name, before string, changed time.Time) state.Fact {
		return state.Fact{Observed: check.Observed{Fact: &check.Fact{Name: name}, Subject: "mail.contoso.com", Value: "now"}, Before: before, Changed: changed}
	}
	got := changes([]state.Status{{Facts: []state.Fact{fact("tls_version", "old", noon.Add(-3*time.Hour)), fact("addresses", "never", time.Time{}),
		fact("front_ends", "yesterday", noon.Add(-25*time.Hour)), fact("certificate", "newer", noon.Add(-time.Hour))}}}, noon)
	require.Len(t, got, 2)
	assert.Equal(t, change{"certificate of mail.contoso.com", "newer", "now", momentOf(noon.Add(-time.Hour), noon)}, got[0])
	assert.Equal(t, "tls version of mail.contoso.com", got[1].What)
}
