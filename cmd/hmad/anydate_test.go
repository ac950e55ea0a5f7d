package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/lab"
	"github.com/hmad/hmad/internal/state"
)

// A healthy lab shows nothing, whatever the day: all checks pass, every reason
// is judged, and no run on the way there finds anything.
func TestAHealthyLabShowsNothingOnAnyDate(t *testing.T) {
	for _, day := range []time.Time{
		time.Date(2027, time.March, 8, 9, 0, 0, 0, time.UTC),
		time.Date(2028, time.January, 1, 0, 0, 30, 0, time.UTC), // a Saturday
		time.Date(2028, time.February, 29, 23, 59, 0, 0, time.UTC),
		time.Date(2049, time.July, 4, 12, 0, 0, 0, time.UTC),
	} {
		t.Run(day.Format(time.DateOnly), func(t *testing.T) {
			t.Parallel()
			for _, c := range labChecksAt(t, day) {
				passesWithoutFinding(t, c)
			}
		})
	}
}

// labChecksAt starts a lab for which it is day now, and returns all checks of
// it, which see the same clock. What they do in the background goes on until the
// test ends.
func labChecksAt(t *testing.T, day time.Time) []*check.Check {
	t.Helper()
	ahead := day.Sub(now())
	clock := func() time.Time { return now().Add(ahead) }
	l, err := lab.Start(lab.Options{Dir: t.TempDir(), Control: "127.0.0.1:0", Now: clock, Online: lab.Online{Mailboxes: fleetSize}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	// By its secret: Microsoft's library dates what it signs with a certificate by the host's clock.
	text := strings.ReplaceAll(string(lab.Config(l)), "certificate_file: \""+l.Facts().CertificateFile, "secret_file: \""+l.Facts().SecretFile)
	file, err := config.Parse("lab", []byte(text))
	require.NoError(t, err)
	require.NotEmpty(t, file.Targets[0].ExchangeOnline.SecretFile)
	target := &file.Targets[0]
	target.ExchangeOnline.Rate, target.Sync.AskEvery = 1000, 30*time.Second // a rate over what a config may say, and no machine is a minute behind
	w := newWorld(t.TempDir(), state.Open("", state.Options{Defs: catalog.Defs(), Now: clock}), func(check.ID) check.Meter { return noMeter{} })
	w.now, w.labs = clock, []*lab.Lab{l}
	checks, err := catalog.Build(file, w.env)
	require.NoError(t, err)
	require.Len(t, checks, len(catalog.Defs()))
	background(t, checks)
	return checks
}

// background begins the checks and runs their Background until the test ends.
func background(t *testing.T, checks []*check.Check) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for _, c := range checks {
		if c.Begin != nil {
			c.Begin()
		}
		if c.Background != nil {
			group.Go(func() { assert.ErrorIs(t, c.Background(ctx), context.Canceled) })
		}
	}
	t.Cleanup(func() { cancel(); group.Wait() })
}

// passesWithoutFinding runs a check until it has judged every reason; no run may
// find anything.
func passesWithoutFinding(t *testing.T, c *check.Check) {
	t.Helper()
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		r, err := c.Look(t.Context(), c.Run)
		assert.Empty(t, r.Findings, c.Name)
		assert.NoError(collect, err, c.Name)
		for _, open := range r.Unevaluated() {
			assert.Fail(collect, "not judged: "+open.Name, c.Name)
		}
	}, 3*time.Minute, waitTick)
}
