package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
)

// said is what one daemon says of a check: its outcome is made of it.
type said struct {
	critical, warning, decided, success int // none: the series is absent
}

const none = -1

// series returns the input of a rule test in which the daemon of that instance
// says so, of a check that is planned.
func (s said) series(instance string) []string {
	labels := `job="hmad",instance="` + instance + `",target="contoso",check="activesync"`
	var out []string
	add := func(m *check.Metric, more string, value int) {
		if value != none {
			out = append(out, fmt.Sprintf("{series: '%s{%s%s}', values: '%d'}", m.Name, labels, more, value))
		}
	}
	add(check.FindingFound, `,reason="bearer_missing",severity="critical"`, s.critical)
	add(check.FindingFound, `,reason="certificate_expiring",severity="warning"`, s.warning)
	add(check.Decided, "", s.decided)
	add(check.Success, "", s.success)
	add(check.NextRun, "", 300)
	return out
}

// The outcome of a check is worked out of five families; Prometheus' own
// engine, by promtool, does so here.
func TestOutcomes(t *testing.T) {
	well := said{0, 0, 1, 1}
	cases := []struct {
		name string
		said []said // by each daemon
		want int
	}{
		{"nothing is found", []said{well}, passed},
		{"a warning", []said{{0, 1, 1, 1}}, warned},
		{"a critical finding", []said{{1, 0, 1, 0}}, failed},
		{"critical and warning", []said{{1, 1, 1, 0}}, failed},
		{"a critical finding stands, and the last run could not tell", []said{{1, 0, 0, 0}}, failed},
		{"a warning stands, and the last run could not tell", []said{{0, 1, 0, 1}}, undecided},
		{"the last run could not tell, the one before passed", []said{{0, 0, 0, 1}}, undecided},
		{"no verdict stands any more", []said{{none, none, 0, none}}, undecided},
		{"it has not run yet", []said{{none, none, none, none}}, undecided},
		{"two daemons agree", []said{well, well}, passed},
		{"one of two daemons finds it", []said{well, {1, 0, 1, 0}}, failed},
		{"one warns, the other cannot tell", []said{{0, 1, 1, 1}, {0, 0, 0, 1}}, undecided},
		{"one of two daemons cannot tell", []said{well, {0, 0, 0, none}}, undecided},
	}
	var file strings.Builder
	file.WriteString("tests:\n")
	for _, c := range cases {
		var input []string
		for i, s := range c.said {
			input = append(input, s.series(fmt.Sprintf("jump%d:9749", i))...)
		}
		fmt.Fprintf(&file, "  - name: %s\n    interval: 1m\n    input_series: [%s]\n    promql_expr_test:\n      - expr: %q\n        eval_time: 0m\n        exp_samples: [{labels: '{target=\"contoso\", check=\"activesync\"}', value: %d}]\n",
			c.name, strings.Join(input, ", "), substituted(outcome()), c.want)
	}
	testRules(t, file.String())
}

// testRules runs a file of rule tests by promtool; they must pass.
func testRules(t *testing.T, file string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.test.yaml")
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	out, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", path).CombinedOutput()
	require.NoError(t, err, string(out))
}
