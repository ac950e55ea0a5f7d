package probes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
)

// at is the verdict of one address that answered.
func at(address string, findings ...check.Finding) addressed {
	return addressed{address, true, verdict{findings: findings}}
}

// dead is the verdict of one address whose visit ended at f.
func dead(address string, f check.Finding) addressed {
	return addressed{address, false, stop(activesyncReasons, f)}
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
			v := agree(activesyncReasons, tc.all)
			got := map[string]string{}
			for _, f := range v.findings {
				got[f.Reason.Name] = f.Detail
			}
			assert.Empty(t, cmp.Diff(tc.want, got))
			assert.Subset(t, reasonNames(v.unevaluated), tc.unknown)
			for _, r := range tc.known {
				assert.NotContains(t, reasonNames(v.unevaluated), r)
			}
			soundVerdict(t, activesyncReasons, v)
		})
	}
}

func TestNotesNameTheirAddress(t *testing.T) {
	noted := func(address string, fs ...check.Finding) addressed {
		return addressed{address, true, verdict{findings: fs, notes: []string{"look"}}}
	}
	for _, all := range [][]addressed{{noted("a"), noted("b")}, {noted("a"), noted("b", found(activesyncBlocked, "403"))}} {
		assert.Equal(t, []string{"a: look", "b: look"}, agree(activesyncReasons, all).notes)
	}
	assert.Equal(t, []string{"look"}, agree(activesyncReasons, []addressed{noted("a")}).notes)
}

func TestUnite(t *testing.T) {
	blocked, other := found(autodiscoverBlocked, "403"), found(autodiscoverBlocked, "403 of a device")
	v := unite(autodiscoverReasons, []addressed{at("a", blocked), at("b", other, found(certificateExpiring, "soon")), at("c", blocked)})
	assert.Equal(t, []check.Finding{
		{Reason: certificateExpiring, Detail: "b: soon"},
		{Reason: autodiscoverBlocked, Detail: "a, c: 403; b: 403 of a device"},
	}, v.findings, "in the order of judgement")

	v = unite(autodiscoverReasons, []addressed{at("a"), {"b", false, stop(autodiscoverReasons, found(timedOut, "x"))}})
	assert.Contains(t, v.unevaluated, autodiscoverBlocked, "what one address could not show is not said to be absent")
}
