package catalog_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/exporter"
	"github.com/hmad/hmad/internal/schedule"
)

func TestGeneratedDocumentsAreCurrent(t *testing.T) {
	read := func(path string) ([]byte, error) { return os.ReadFile("../../" + path) }
	files, err := catalog.Documents(exporter.Own, read)
	require.NoError(t, err)
	for path, want := range files {
		got, err := read(path)
		require.NoError(t, err)
		if want != string(got) {
			t.Errorf("%s is behind the code, first at %q: run `go generate ./...`", path, firstDifference(want, string(got)))
		}
	}
}

// firstDifference returns the first line of a that b does not have at its place.
func firstDifference(a, b string) string {
	other := strings.Split(b, "\n")
	for i, line := range strings.Split(a, "\n") {
		if i >= len(other) || other[i] != line {
			return check.Clean(line, 120)
		}
	}
	return "its end"
}

var (
	snake      = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	metricForm = regexp.MustCompile(`^hmad_[a-z0-9_]+$`)
)

func TestDeclarationsOfChecks(t *testing.T) {
	names := map[string]bool{}
	for _, d := range catalog.Defs() {
		t.Run(d.Name, func(t *testing.T) {
			assert.Regexp(t, snake, d.Name)
			assert.False(t, names[d.Name], "the name is taken")
			names[d.Name] = true
			assert.True(t, strings.HasSuffix(d.Doc, "."), "the doc is whole sentences")
			assert.NotNil(t, d.New)
			least, err := leastGap(d)
			require.NoError(t, err)
			assert.Less(t, d.Timeout, least)
			seen := map[string]bool{}
			for _, r := range d.Reasons {
				assert.Regexp(t, snake, r.Name)
				assert.False(t, seen[r.Name], "%s is declared twice", r.Name)
				seen[r.Name] = true
				assert.Contains(t, []check.Severity{check.Critical, check.Warning}, r.Severity, r.Name)
				assert.NotEmpty(t, r.Summary, r.Name)
				assert.NotEmpty(t, r.Fix, r.Name)
			}
			assert.NotEmpty(t, d.Reasons)
		})
	}
}

// leastGap is the smallest gap of the default schedule.
func leastGap(d *check.Def) (time.Duration, error) {
	s, err := schedule.Parse(d.Every)
	if err != nil {
		return 0, err
	}
	least, _ := s.Gaps(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return least, nil
}

// Two families of one name would fail a scrape; a family that promlint dislikes
// has a name or unit that nobody expects.
func TestDeclarationsOfMetrics(t *testing.T) {
	seen := map[string]*check.Metric{}
	var problems []promlint.Problem
	for _, m := range append(catalog.Metrics(), exporter.Own...) {
		assert.Regexp(t, metricForm, m.Name)
		assert.Nil(t, seen[m.Name], "%s is declared twice", m.Name)
		seen[m.Name] = m
		assert.True(t, strings.HasSuffix(m.Help, "."), "%s: help is whole sentences", m.Name)
		assert.Equal(t, m.Kind == check.Counter, strings.HasSuffix(m.Name, "_total"), m.Name)
		assert.Equal(t, m.Kind == check.Histogram, len(m.Buckets) > 0, m.Name)
		for _, l := range m.Labels {
			assert.Regexp(t, snake, l, m.Name)
			assert.False(t, !m.NoTarget && (l == "check" || l == "target"), "%s: the exporter stamps %s", m.Name, l)
		}
		text := "# HELP " + m.Name + " " + m.Help + "\n# TYPE " + m.Name + " " + string(m.Kind) + "\n"
		if m.Kind == check.Gauge {
			found, err := promlint.New(strings.NewReader(text + m.Name + " 1\n")).Lint()
			require.NoError(t, err)
			problems = append(problems, found...)
		}
	}
	assert.Empty(t, problems)
}

// What a Def offers to others has one owner and names what it declares.
func TestWhatDefsOfferToOthers(t *testing.T) {
	ways, mailboxes := 0, 0
	for _, d := range catalog.Defs() {
		if d.WayOut != nil {
			ways++
			assert.Contains(t, d.Reasons, d.WayOut.Closed, "%s: the way out", d.Name)
		}
		if slices.ContainsFunc(d.Reasons, func(r *check.Reason) bool { return r.Mailbox }) {
			mailboxes++
		}
		if d.Sooner != nil {
			sooner, err := leastGap(d.Sooner)
			require.NoError(t, err)
			own, err := leastGap(d)
			require.NoError(t, err)
			assert.Less(t, sooner, own, "%s.Sooner looks more often", d.Name)
		}
		for _, m := range d.Metrics {
			if m.Quote != nil {
				assert.Equal(t, check.Gauge, m.Kind, "alerts quote gauges: %s", m.Name)
			}
		}
	}
	assert.Equal(t, 1, ways, "checks that tell whether the way out is open")
	assert.Equal(t, 1, mailboxes, "checks that tell whether Exchange knows the probe mailbox")
}
