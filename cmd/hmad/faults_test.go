package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
)

// nameless are the reasons that concern no host, server, mailbox or object which
// could be named, and what they concern.
var nameless = map[string]string{
	"vantage.clock_skew":                           "hmad's own host",
	"metadata_refresh.arbitration_mailbox_missing": "there is none",
	"configuration.basic_outlook_allowed":          "the organisation",
	"configuration.hybrid_configuration_missing":   "the organisation",
	"configuration.oauth_profile_disabled":         "the organisation",
	"configuration.outlook_service_not_allowed":    "the organisation",
	"tenant.ca_legacy_auth_open":                   "the tenant",
	"tenant.directory_sync_off":                    "the tenant",
	"tenant.directory_sync_stale":                  "the tenant",
	"tenant.exchange_principal_disabled":           "the tenant",
	"allow_list.source_old":                        "the list",
}

// Every reason has a lab fault of its name; while it is on, its check shows
// exactly that reason and the other checks nothing; once it is off, nothing. The
// finding names what it concerns, as alerts and page do after it.
// Faults that are another way to a reason say to which.
func TestEachFaultShowsExactlyItsReason(t *testing.T) {
	e := startDemo(t, "--lab.mailboxes=0") // those of the sync times take a round of the fleet to show
	for _, r := range e.runAllNow(t) {
		if r.Outcome != "passed" {
			t.Fatalf("in a healthy lab: %s", r)
		}
		assert.NotEmpty(t, r.Repeat, "%s: no command to repeat it by hand", r.Check)
	}
	for _, f := range e.faults(t) {
		def, reason := leadsTo(f)
		require.NotNil(t, reason, "%s leads to no reason", f.Name)
		t.Run(f.Name, func(t *testing.T) {
			e.fault(t, f.Name, true)
			for _, r := range e.runAllNow(t) {
				want := []string{}
				if r.Check == def.Name {
					want = []string{reason.Name}
				}
				if got := r.reasons(); !slices.Equal(got, want) {
					t.Errorf("with the fault %s %s finds %v, want %v: %s", f.Name, r.Check, got, want, r)
				}
				assert.NotEmpty(t, r.Repeat, "with the fault %s no command repeats %s by hand", f.Name, r.Check)
				for _, x := range r.Findings {
					assert.Equal(t, nameless[r.Check+"."+x.Reason] == "", len(x.About) > 0, "%s.%s concerns %v", r.Check, x.Reason, x.About)
				}
			}
			e.fault(t, f.Name, false)
			if r := e.runNow(t, def.Name); r.Outcome != "passed" {
				t.Errorf("with the fault %s gone again: %s", f.Name, r)
			}
		})
	}
}

// wayTo is the end of the doc of a fault that is named VARIANT.CHECK.
var wayTo = regexp.MustCompile(`[(; ](\w+)\)\.$`)

// leadsTo returns the reason that a fault produces.
func leadsTo(f labFault) (*check.Def, *check.Reason) {
	if def, reason := findReason(f.Name); reason != nil {
		return def, reason
	}
	_, name, _ := strings.Cut(f.Name, ".")
	if m := wayTo.FindStringSubmatch(f.Doc); m != nil {
		return findReason(name + "." + m[1])
	}
	return nil, nil
}

// findReason returns the reason of the full name "check.reason", and its Def; nil
// when there is none.
func findReason(full string) (*check.Def, *check.Reason) {
	name, reason, _ := strings.Cut(full, ".")
	if d := catalog.Find(name); d != nil && d.Reason(reason) != nil {
		return d, d.Reason(reason)
	}
	return nil, nil
}

// runAllNow asks the daemon to run every check of the demo, side by side.
func (e *estate) runAllNow(t *testing.T) []result {
	t.Helper()
	names := slices.DeleteFunc(catalog.Names(), ofSync)
	results := make([]result, len(names))
	var group sync.WaitGroup
	for i, c := range names {
		group.Go(func() { results[i] = e.runNow(t, c) })
	}
	group.Wait()
	return results
}

func TestEveryReasonHasAFault(t *testing.T) {
	names := map[string]bool{}
	all := startDemo(t).faults(t)
	for _, f := range all {
		names[f.Name] = true
		name, _, _ := strings.Cut(f.Name, ".")
		if slices.Contains(catalog.Names(), name) {
			_, reason := findReason(f.Name)
			if reason == nil {
				t.Errorf("internal/lab has a fault %s, and %s declares no such reason", f.Name, name)
			}
		}
	}
	for _, d := range catalog.Defs() {
		for _, r := range d.Reasons {
			if !names[d.Name+"."+r.Name] {
				t.Errorf("internal/lab has no fault %s.%s: allFaults in faults.go", d.Name, r.Name)
			}
		}
	}
}

// labFault is a fault as the control port lists it.
type labFault struct {
	Name, Doc string
	On        bool
}

// faults lists the lab's faults, which are all off.
func (e *estate) faults(t *testing.T) []labFault {
	t.Helper()
	status, body := request(t, http.MethodGet, e.control+"/faults")
	require.Equal(t, http.StatusOK, status)
	var all []labFault
	require.NoError(t, json.Unmarshal([]byte(body), &all))
	require.NotEmpty(t, all)
	for _, f := range all {
		assert.NotEmpty(t, f.Doc, f.Name)
		assert.False(t, f.On, f.Name)
	}
	return all
}

// A demo with several targets has a lab for each: what is broken in one is well
// in the other.
func TestALabForEachTarget(t *testing.T) {
	e := startDemo(t, "--target=north", "--target=south", "--lab.mailboxes=20", "--lab.every=20s", "--break=vantage.clock_skew")
	controls := regexp.MustCompile(`All faults +curl (\S+)/faults\n`).FindAllStringSubmatch(e.await(t, e.stdout, `(?s).*Stop with`)[0], -1)
	require.Len(t, controls, 2)
	(&estate{control: controls[0][1]}).fault(t, "vantage.clock_skew", false)
	for target, want := range map[string][]string{"north": {}, "south": {"clock_skew"}} {
		assert.Equal(t, want, e.runOf(t, "vantage", target).reasons(), target)
		assert.Equal(t, "passed", e.runOf(t, "mailbox_sync", target).Outcome, target)
	}
}
