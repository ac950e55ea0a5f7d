package main

import (
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// A check's families that nobody has put on a panel are on a row of the check,
// by their kinds and units.
func TestFiguresOfANewCheckAreSeen(t *testing.T) {
	def := &check.Def{Name: "hello", Metrics: []*check.Metric{
		check.Phase, // is on a panel
		{Name: "hmad_hello_delay_seconds", Kind: check.Gauge, Labels: []string{"host"}},
		{Name: "hmad_hello_greeted_timestamp_seconds", Kind: check.Gauge},
		{Name: "hmad_hello_greetings_total", Kind: check.Counter, Labels: []string{"host", "language"}},
		{Name: "hmad_hello_length_bytes", Kind: check.Histogram, NoTarget: true, Labels: []string{"language"}},
		{Name: "hmad_hello_friends", Kind: check.Gauge, NoTarget: true},
	}}
	b := board{rows: more([]*check.Def{def, {Name: "silent"}}, boards())}
	require.Len(t, b.rows, 1)
	assert.Equal(t, "Check hello", b.rows[0].title)
	panels, err := b.laidOut()
	require.NoError(t, err)
	var got [][3]string
	width := uint32(0)
	require.Len(t, panels, 1, "the row is folded")
	for _, p := range panels[0].RowPanel.Panels {
		q := p.Targets[0].(prometheus.Dataquery)
		_, err := parse(q.Expr)
		require.NoError(t, err, q.Expr)
		got = append(got, [3]string{*p.Title, *p.FieldConfig.Defaults.Unit, *q.LegendFormat})
		width += p.GridPos.W
	}
	assert.Equal(t, [][3]string{
		{"Hello delay seconds", "s", "{{target}} · {{host}}"},
		{"Hello greeted: age", "s", "{{target}}"},
		{"Hello greetings total", "none", "{{target}} · {{host}} · {{language}}"},
		{"Hello length bytes (95th percentile)", "bytes", "{{language}}"},
		{"Hello friends", "none", "{{instance}}"},
	}, got)
	assert.Zero(t, width%24, "a hole in the layout")
}
