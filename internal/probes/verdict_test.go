package probes

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

func TestDoubt(t *testing.T) {
	closed := func(context.Context) error {
		return check.Errorf(check.VantageOffline, "hmad's own way out is closed: login.contoso.test cannot be asked")
	}
	open := func(context.Context) error { return nil }
	refused, blocked, expired := found(connectFailed, "x"), found(activesyncBlocked, "y"), found(certificateExpired, "z")
	for name, tc := range map[string]struct {
		vantage func(context.Context) error
		in      []check.Finding
		want    []check.Finding
		offline bool
	}{
		"the way out is open": {open, []check.Finding{refused}, []check.Finding{refused}, false},
		"closed":              {closed, []check.Finding{refused}, nil, true},
		"closed, and what an answer showed remains": {closed, []check.Finding{refused, expired, blocked}, []check.Finding{expired, blocked}, true},
		"nothing that our side could cause":         {closed, []check.Finding{blocked}, []check.Finding{blocked}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := ActiveSync.Judge()
			v.Clear(ActiveSync.Reasons...)
			for _, f := range tc.in {
				v.Find(f.Reason, nil, "%s", f.Detail)
			}
			doubt(check.Env{Vantage: tc.vantage})(t.Context(), v)
			got, err := v.Report()
			assert.Equal(t, tc.want, got.Findings)
			require.Equal(t, tc.offline, err != nil)
			if tc.offline {
				assert.Equal(t, check.VantageOffline, check.ClassOf(err))
				assert.EqualError(t, err, "what was found is taken back: hmad's own way out is closed: login.contoso.test cannot be asked")
				assert.Equal(t, []*check.Reason{connectFailed}, got.Unevaluated())
			}
		})
	}
	t.Run("a way out that is not shared is not asked", func(t *testing.T) { assert.Nil(t, doubt(check.Env{})) })
}

func TestWhole(t *testing.T) {
	one, two := &Answer{Status: 1}, &Answer{Status: 2}
	asked := []*http.Request{{}, {}}
	for name, tc := range map[string]struct {
		v    Visit
		want []*Answer
	}{
		"both answers":            {Visit{Answers: []*Answer{one, two}, asked: asked}, []*Answer{one, two}},
		"the second broke off":    {Visit{Answers: []*Answer{one, two}, asked: asked, Ended: true}, []*Answer{one}},
		"the second never came":   {Visit{Answers: []*Answer{one}, asked: asked, Ended: true}, []*Answer{one}},
		"the first broke off":     {Visit{Answers: []*Answer{one}, asked: asked[:1], Ended: true}, []*Answer{}},
		"there was no connection": {Visit{asked: asked[:1], Ended: true}, nil},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tc.want, tc.v.whole()) })
	}
}

// Every reason tells an operator what it means and what to do.
func TestReasonsAreWritten(t *testing.T) {
	for _, d := range []*check.Def{Vantage, Autodiscover, ActiveSync} {
		seen := map[string]bool{}
		for _, r := range d.Reasons {
			name := d.Name + "." + r.Name
			assert.False(t, seen[name], "%s twice", name)
			seen[name] = true
			assert.Contains(t, []check.Severity{check.Critical, check.Warning}, r.Severity, name)
			assert.Greater(t, len(r.Summary), 40, name)
			assert.Greater(t, len(r.Fix), 30, name)
			for _, text := range []string{r.Summary, r.Fix} {
				assert.Zero(t, strings.Count(text, "`")%2, "%s: an open quote", name)
				assert.Equal(t, strings.TrimSpace(text), text, name)
				assert.True(t, strings.HasSuffix(text, "."), name)
			}
		}
	}
}
