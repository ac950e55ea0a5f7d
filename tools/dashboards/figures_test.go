package main

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shown is a value within bounds, in a colour; its zero value is a series that
// is not there.
type shown struct {
	from, to float64
	color    string
}

func is(value float64, color string) shown        { return shown{value, value, color} }
func within(from, to float64, color string) shown { return shown{from, to, color} }
func atLeast(value float64, color string) shown   { return shown{value, math.Inf(1), color} }

// figure is what a panel shows of the series whose names in the picture match.
type figure struct {
	series          string
	healthy, broken shown
}

// in returns what is shown in the scene.
func (f figure) in(now scene) shown {
	if now == broken {
		return f.broken
	}
	return f.healthy
}

// same is a figure that the fault does not touch.
func same(series string, s shown) figure { return figure{series, s, s} }

const jump = `jump[1-4]:9749`

// figures are those of every panel that has large figures or bars, first when
// both targets are healthy, then when contoso-south is broken. All must be
// there, and no other.
var figures = map[string][]figure{
	"Overview / Targets": {
		same("contoso-north", is(passed, "green")),
		{"contoso-south", is(passed, "green"), is(failed, "red")},
	},
	// Two daemons that find the same have found it once.
	"Overview / Findings and gaps": {
		{"critical", is(0, "green"), is(3, "red")},
		{"warnings", is(0, "green"), is(2, "orange")},
		same("undecided", is(0, "green")),
		same("accepted", is(0, "text")),
	},
	"Overview / Good runs in the range shown": {
		same("contoso-north", is(1, "green")),
		// Most of its checks go on being good: it is the worst that counts.
		{"contoso-south", is(1, "green"), within(0, .3, "orange")},
	},
	"Overview / Error budget left": {
		same("contoso-north", is(1, "green")),
		{"contoso-south", is(1, "green"), within(math.Inf(-1), -1, "orange")},
	},
	"Overview / From the phone to Exchange and back": {
		{"1 AutoDiscover", is(passed, "green"), is(warned, "orange")},
		{"2 bearer challenge", is(passed, "green"), is(failed, "red")},
		{"3 sign-in", is(passed, "green"), is(failed, "red")},
		{"4 provisioning", is(passed, "green"), is(failed, "red")},
		{"5 service token", is(passed, "green"), is(failed, "red")},
		{"6 cloud copy", is(passed, "green"), is(failed, "red")},
		{"7 cloud sync", is(passed, "green"), is(failed, "red")},
		{"8 mail arrives", is(passed, "green"), is(failed, "red")},
	},
	"Mailbox sync / Newest synchronisation": {same("contoso-(north|south)", within(0, hour, "green"))},
	"Mailbox sync / Stale or failing": {
		same("contoso-north", within(.01, .09, "green")), // some always are
		{"contoso-south", within(.01, .09, "green"), within(.4, .7, "red")},
	},
	"Mailbox sync / Known":                      {same("contoso-(north|south)", within(.9, 1, "green"))},
	"Mailbox sync / Newest success at Exchange": {same("contoso-(north|south)", within(0, hour, "green"))},
	"Mailbox sync / Refused by Exchange": {
		same("contoso-north", is(0, "green")),
		{"contoso-south", is(0, "green"), within(.8, .99, "red")},
	},
	"Mailbox sync / One mailbox now": {
		same("contoso-(north|south) last success", within(0, hour, "green")),
		same("contoso-(north|south) (last attempt|asked|last success on premises)", within(0, hour, "text")),
		same("contoso-(north|south) partnerships", is(1, "text")),
	},
	"Mailbox sync / Left out": {same("contoso-(north|south) lines|"+jump+" series", is(0, "green"))},
	"EvoSTS metadata / Certificates missing in Exchange": {
		same("contoso-north", is(0, "green")),
		{"contoso-south", is(0, "green"), is(1, "blue")},
	},
	"EvoSTS metadata / Time left to copy it": {
		same("contoso-north", is(complete, "green")),
		{"contoso-south", is(complete, "green"), within(-2*hour, -hour, "orange")},
	},
	"EvoSTS metadata / Last good run of the refresh job":               {same("contoso-(north|south)", within(2*hour, 3*hour, "green"))},
	"EvoSTS metadata / Oldest report from Exchange":                    {same("contoso-(north|south)", within(0, 120, "green"))},
	"EvoSTS metadata / Exchange's own signing certificates: time left": {same("contoso-(north|south) · current", atLeast(365*day, "green"))},
	"EvoSTS metadata / Age of the table of Exchange builds":            {same(jump, within(0, hour, "green"))}, // for a lab it is complete today
	"hmad itself / Answers Prometheus":                                 {same(jump, is(1, "green"))},
	"hmad itself / Config in force": {
		same(jump, is(1, "green")),
		same(jump+" since", within(1000*float64(time.Now().Add(-time.Hour).Unix()), 1000*float64(time.Now().Add(time.Hour).Unix()), "text")),
	},
	"hmad itself / State":    {same(jump, is(1, "green")), same(jump+" (set aside|damaged lines)", is(0, "green"))},
	"hmad itself / Left out": {same(jump+" (series|counts)", is(0, "green"))},
	"hmad itself / Clock":    {same("jump[12]:9749 · contoso-north|jump[34]:9749 · contoso-south", within(0, 2, "green"))},
	"hmad itself / Credentials: time left": {
		same("contoso-(north|south) · (graph_)?certificate", within(364*day, 366*day, "green")),
		same("contoso-south · report_listener", within(89*day, 91*day, "green")),
	},
}

// figures waits until all panels show the figures of the scene.
func (p server) figures(t *testing.T, now scene) {
	t.Helper()
	seen := 0
	for _, b := range readBoards(t) {
		for _, panel := range b.graphs() {
			if panel.Type != "stat" && panel.Type != "bargauge" {
				continue
			}
			where := strings.TrimPrefix(b.Title, "hmad / ") + " / " + panel.Title
			want, ok := figures[where]
			require.True(t, ok, "nobody says what %s should show", where)
			seen++
			require.EventuallyWithT(t, func(c *assert.CollectT) { p.figuresOf(t, c, panel, want, now) },
				patience, 500*time.Millisecond, "%s, %s", where, now)
		}
	}
	assert.Len(t, figures, seen, "figures of panels that are not there")
}

func (p server) figuresOf(t *testing.T, c *assert.CollectT, panel readPanel, want []figure, now scene) {
	there := make([]int, len(want))
	for _, q := range panel.Targets {
		found, err := p.query(t.Context(), substituted(q.Expr), false)
		assert.NoError(c, err)
		for _, s := range found {
			name, known := q.named(s.labels), false
			for i, f := range want {
				if !regexp.MustCompile("^(?:" + f.series + ")$").MatchString(name) {
					continue
				}
				known = true
				there[i]++
				due := f.in(now)
				assert.True(c, due.from <= s.value && s.value <= due.to, "%s is %v, want %v to %v", name, s.value, due.from, due.to)
				assert.Equal(c, due.color, panel.color(t, name, s.value), "the colour of %s at %v", name, s.value)
			}
			assert.True(c, known, "%s is not expected", name)
		}
	}
	for i, f := range want {
		assert.Equal(c, f.in(now).color != "", there[i] > 0, "%s is there %d times", f.series, there[i])
	}
}
