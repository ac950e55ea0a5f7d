package probes

import (
	"slices"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// ExchangeBuild shows which Exchange builds answer. It is kept a day, because a
// load balancer shows another front end in every run.
var ExchangeBuild = &check.Metric{Name: "hmad_exchange_build_info", Kind: check.Gauge, Labels: []string{"frontend", "build"},
	Help: "1 for each front end (X-FEServer) and build (X-OWA-Version) that answered within the last 24 hours, at most 64."}

const (
	rememberedBuilds = "exchange_builds" // the memory's key
	keepBuilds       = 24 * time.Hour
	maxBuilds        = 64
	maxBuildName     = 64 // bytes of a label value
)

// seenBuild is a front end with its build, as stored in the memory.
type seenBuild struct {
	Frontend, Build string
	Seen            time.Time
}

// builds adds what the visits show to the memory and records all that it knows.
func (a *activesync) builds(v *check.Verdict, visits []Visit) {
	var known []seenBuild
	a.env.Memory.Get(rememberedBuilds, &known)
	now := a.env.Now()
	for _, x := range visits {
		for _, answer := range x.Answers {
			known = addBuild(known, answer, now)
		}
	}
	known = pruneBuilds(known, now)
	a.env.Memory.Put(rememberedBuilds, known)
	for _, b := range known {
		v.Sample(ExchangeBuild, 1, b.Frontend, b.Build)
	}
	for frontend, builds := range buildsOf(known) {
		v.Fact(frontEndFact, frontend, builds)
	}
}

// buildsOf returns the builds of each front end in one text.
func buildsOf(known []seenBuild) map[string]string {
	out := map[string]string{}
	for _, b := range known {
		if out[b.Frontend] != "" {
			out[b.Frontend] += ", "
		}
		out[b.Frontend] += b.Build
	}
	return out
}

// addBuild adds what the answer says of the organisation's own front end; a
// front end that gives no build tells nothing.
func addBuild(known []seenBuild, a *Answer, now time.Time) []seenBuild {
	b := seenBuild{check.Clean(a.Header.Get("X-Feserver"), maxBuildName), check.Clean(a.Header.Get("X-Owa-Version"), maxBuildName), now}
	cs, _ := a.challenges()
	if b.Build == "" || cloudAnswerer(a, cs) != "" {
		return known
	}
	known = slices.DeleteFunc(known, func(k seenBuild) bool { return k.Frontend == b.Frontend && k.Build == b.Build })
	return append(known, b)
}

// pruneBuilds drops what was not seen for a day, what has no build (an earlier
// version kept that) and, above the limit, what was seen longest ago.
func pruneBuilds(known []seenBuild, now time.Time) []seenBuild {
	known = slices.DeleteFunc(known, func(b seenBuild) bool { return b.Build == "" || now.Sub(b.Seen) > keepBuilds })
	slices.SortStableFunc(known, func(a, b seenBuild) int { return a.Seen.Compare(b.Seen) })
	return known[max(0, len(known)-maxBuilds):]
}
