package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/graph"
)

// requests counts what a client sends, by area.
type requests map[string]int

func (r requests) Add(_ *check.Metric, _ float64, labels ...string) { r[labels[0]]++ }
func (requests) Observe(_ *check.Metric, _ float64, _ ...string)    {}

// graphClient returns hmad's own client for the lab's Graph.
func graphClient(t *testing.T, l *Lab) (*graph.Client, requests) {
	t.Helper()
	f, err := config.Parse("hmad.yaml", Config(l))
	require.NoError(t, err)
	count := requests{}
	env := checktest.Env(time.Now)
	env.Meter, env.Resolve = count, resolver(l, "udp").LookupNetIP
	c, err := graph.New(f.Targets[0], env)
	require.NoError(t, err)
	return c, count
}

// An hour's questions are six requests, and one for each user.
func TestGraphIsPagedAndCounted(t *testing.T) {
	l := start(t)
	c, count := graphClient(t, l)
	for _, a := range graph.Areas {
		require.NoError(t, a.Try(t.Context(), c, mailbox), a.Name)
	}
	_, err := c.Protections(t.Context(), graph.Android)
	require.NoError(t, err)
	assert.Equal(t, requests{"principal": 1, "organization": 1, "conditional_access": 2, "app_protection": 2, "licences": 1}, count,
		"conditional access comes in two pages of two")
}

func TestGraphRefusesAreaByArea(t *testing.T) {
	l := start(t)
	c, _ := graphClient(t, l)
	paths := map[*graph.Area]string{graph.Principals: "/servicePrincipals", graph.Organizations: "/organization", graph.ConditionalAccess: "/identity/",
		graph.AppProtection: "/deviceAppManagement/", graph.Licences: "/users/"}
	for _, refused := range graph.Areas {
		b := healthy(tenant)
		b.graph.edits = []func(*graphTenant){func(g *graphTenant) { g.forbidden = paths[refused] }}
		l.hosts[graphHost].now.Store(&b)
		for _, a := range graph.Areas {
			err := a.Try(t.Context(), c, mailbox)
			if a == refused {
				assert.Equal(t, check.Permission, check.ClassOf(err), a.Name)
				assert.ErrorContains(t, err, a.Permission)
				continue
			}
			assert.NoError(t, err, "%s, with %s refused", a.Name, refused.Name)
		}
	}
	for wait, text := range map[time.Duration]string{0: "answers 429 (TooManyRequests)", time.Minute: ": wait 1m0s"} {
		b := healthy(tenant)
		b.graph.edits = []func(*graphTenant){func(g *graphTenant) { g.busy, g.wait = "/identity/", wait }}
		l.hosts[graphHost].now.Store(&b)
		err := graph.ConditionalAccess.Try(t.Context(), c, mailbox)
		assert.Equal(t, check.Throttled, check.ClassOf(err))
		assert.ErrorContains(t, err, text)
	}
}
