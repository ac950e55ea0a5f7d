package probes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

// at is the verdict of one address that answered.
func at(address string, findings ...check.Finding) addressed {
	v := ActiveSync.Judge()
	v.Clear(activesyncReasons...)
	for _, f := range findings {
		v.Find(f.Reason, nil, "%s", f.Detail)
	}
	v.Note("look")
	return addressed{check.Part{Name: address, Subject: "mail at " + address, Verdict: v}, true}
}

// dead is the verdict of one address whose visit ended at f.
func dead(address string, f check.Finding) addressed {
	v := ActiveSync.Judge()
	Visit{Faults: []check.Finding{f}, Ended: true}.judge(v, activesyncReasons)
	return addressed{check.Part{Name: address, Subject: "mail at " + address, Verdict: v}, false}
}

func agreed(all ...addressed) seen {
	return judged(ActiveSync, func(v *check.Verdict) { agree(v, all) })
}

func TestAgree(t *testing.T) {
	blocked, missing := found(activesyncBlocked, "403"), found(authorizationURIMissing, "none")
	refused, expiring := found(connectFailed, "refused"), found(certificateExpiring, "soon")
	hung := found(tlsFailed, "hung up")
	for name, tc := range map[string]struct {
		all     []addressed
		want    map[string]string // reason → detail
		unknown []string          // some that must be unevaluated
		known   []string          // some that must not be
	}{
		"one address": {[]addressed{at("a", missing)}, map[string]string{"authorization_uri_missing": "none"},
			[]string{"addresses_disagree"}, nil},
		"all healthy":    {[]addressed{at("a"), at("b")}, map[string]string{}, nil, []string{"addresses_disagree"}},
		"all the same":   {[]addressed{at("a", missing), at("b", missing)}, map[string]string{"authorization_uri_missing": "a, b: none"}, nil, []string{"addresses_disagree"}},
		"one of three":   {[]addressed{at("a"), at("b", missing), at("c")}, map[string]string{"addresses_disagree": "b: authorization_uri_missing (of 3 addresses)"}, []string{"authorization_uri_missing"}, nil},
		"each its own":   {[]addressed{at("a", missing), at("b", blocked)}, map[string]string{"authorization_uri_missing": "a: none", "blocked": "b: 403"}, []string{"addresses_disagree"}, nil},
		"some in common": {[]addressed{at("a", blocked, missing), at("b", blocked)}, map[string]string{"blocked": "a, b: 403", "authorization_uri_missing": "a: none"}, []string{"addresses_disagree"}, nil},
		"each its own, one healthy": {[]addressed{at("a", missing), at("b", blocked), at("c")}, map[string]string{"addresses_disagree": "a: authorization_uri_missing; b: blocked (of 3 addresses)"},
			[]string{"authorization_uri_missing", "blocked"}, nil},
		"one dead, the other ill": {[]addressed{dead("a", refused), at("b", missing)}, map[string]string{"connect_failed": "a: refused", "authorization_uri_missing": "b: none"},
			[]string{"addresses_disagree", "tls_failed"}, nil},
		"a warning is no illness": {[]addressed{at("a", expiring), at("b", missing, expiring)}, map[string]string{"certificate_expiring": "a, b: soon", "addresses_disagree": "b: authorization_uri_missing (of 2 addresses)"},
			[]string{"authorization_uri_missing"}, nil},
		"one is dead": {[]addressed{at("a"), dead("b", refused)}, map[string]string{"addresses_disagree": "b: connect_failed (of 2 addresses)"},
			[]string{"connect_failed", "bearer_missing"}, []string{"dns_failed"}},
		"warnings are united": {[]addressed{at("a", expiring), at("b")}, map[string]string{"certificate_expiring": "a: soon"}, nil, []string{"addresses_disagree"}},
		"all dead alike":      {[]addressed{dead("a", refused), dead("b", refused)}, map[string]string{"connect_failed": "a, b: refused"}, []string{"addresses_disagree", "tls_failed"}, nil},
		"all dead, each otherwise": {[]addressed{dead("a", refused), dead("b", hung)}, map[string]string{"connect_failed": "a: refused", "tls_failed": "b: hung up"},
			[]string{"addresses_disagree", "bearer_missing"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := agreed(tc.all...)
			assert.NoError(t, v.err, "every reason is judged, or says why not")
			got := map[string]string{}
			for _, f := range v.findings {
				got[f.Reason.Name] = f.Detail
			}
			assert.Empty(t, cmp.Diff(tc.want, got))
			assert.Subset(t, reasonNames(v.unevaluated), tc.unknown)
			for _, r := range tc.known {
				assert.NotContains(t, reasonNames(v.unevaluated), r)
			}
			soundVerdict(t, ActiveSync.Reasons, v)
		})
	}
}

func TestAFindingNamesTheAddressesThatShowIt(t *testing.T) {
	missing := found(authorizationURIMissing, "none")
	for name, tc := range map[string]struct {
		all  []addressed
		want []string
	}{
		"one address":       {[]addressed{at("a", missing)}, []string{"mail at a"}},
		"all of them":       {[]addressed{at("a", missing), at("b", missing)}, []string{"mail at a", "mail at b"}},
		"the sick one only": {[]addressed{at("a"), at("b", missing), at("c")}, []string{"mail at b"}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tc.want, agreed(tc.all...).findings[0].About) })
	}
}

func TestNotesNameTheirAddress(t *testing.T) {
	for _, all := range [][]addressed{{at("a"), at("b")}, {at("a"), at("b", found(activesyncBlocked, "403"))}} {
		assert.Equal(t, []string{"a: look", "b: look"}, agreed(all...).notes)
	}
	assert.Equal(t, []string{"look"}, agreed(at("a")).notes)
}
