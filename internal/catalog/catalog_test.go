package catalog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
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
			t.Errorf("%s is behind the code, first at %q: run `make generate`", path, firstDifference(want, string(got)))
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
		wants(t, d.Name, map[string]bool{
			"a name in snake case that no other check has": snake.MatchString(d.Name) && !names[d.Name],
			"a Doc of whole sentences":                     strings.HasSuffix(d.Doc, "."),
			"a New":                                        d.New != nil,
			"a Reason":                                     len(d.Reasons) > 0,
			"an Every whose smallest gap is longer than a Timeout above 0": d.Timeout > 0 && d.Timeout < leastGap(d),
		})
		names[d.Name] = true
		seen := map[string]bool{}
		for _, r := range d.Reasons {
			wants(t, d.Name+"."+r.Name, map[string]bool{
				"a name in snake case that no other reason of the check has": snake.MatchString(r.Name) && !seen[r.Name],
				"a Severity, critical or warning":                            r.Severity == check.Critical || r.Severity == check.Warning,
				"a Summary: what it means for phones":                        r.Summary != "",
				"a Fix: the command or place to look":                        r.Fix != "",
			})
			seen[r.Name] = true
		}
	}
}

// wants says in one line each what the declaration of that name lacks.
func wants(t *testing.T, name string, has map[string]bool) {
	t.Helper()
	for what, there := range has {
		if !there {
			t.Errorf("the declaration of %s wants %s", name, what)
		}
	}
}

// A Def that nobody lists is tested by nobody and asked by nobody.
func TestEveryDefIsListed(t *testing.T) {
	listed := defVariables(t)
	for _, folder := range checkPackages(t) {
		files, err := filepath.Glob("../../" + folder + "/*.go")
		require.NoError(t, err)
		for _, file := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			require.NoError(t, err)
			for _, name := range defsIn(tree) {
				if !strings.HasSuffix(file, "_test.go") && !listed[path.Base(folder)+"."+name] {
					t.Errorf("%s declares %s, which Defs in internal/catalog/catalog.go does not list", strings.TrimPrefix(file, "../../"), name)
				}
			}
		}
	}
}

// defsIn lists the variables of a file that are declared as &check.Def.
func defsIn(tree *ast.File) []string {
	var names []string
	ast.Inspect(tree, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if u, ok := v.Values[0].(*ast.UnaryExpr); ok {
			if l, ok := u.X.(*ast.CompositeLit); ok && selected(tree, l.Type) == "check.Def" {
				names = append(names, v.Names[0].Name)
			}
		}
		return true
	})
	return names
}

func TestDefsOfAFileAreSeen(t *testing.T) {
	tree, err := parser.ParseFile(token.NewFileSet(), "f.go", `package p
import "x/check"
var Hello = &check.Def{Name: "hello"}
var other = &check.Metric{}
`, 0)
	require.NoError(t, err)
	assert.Equal(t, []string{"Hello"}, defsIn(tree))
}

// leastGap is the smallest gap of the default schedule, 0 where that is none.
func leastGap(d *check.Def) time.Duration {
	s, err := schedule.Parse(d.Every)
	if err != nil {
		return 0
	}
	least, _ := s.Gaps(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return least
}

// Two families of one name would fail a scrape; a family that promlint dislikes
// has a name or unit that nobody expects.
func TestDeclarationsOfMetrics(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range append(catalog.Metrics(), exporter.Own...) {
		wants(t, m.Name, map[string]bool{
			"a name of the form hmad_… that no other family has": metricForm.MatchString(m.Name) && !seen[m.Name],
			"a Help of whole sentences":                          strings.HasSuffix(m.Help, "."),
			"_total at the end where it counts, and only there":  (m.Kind == check.Counter) == strings.HasSuffix(m.Name, "_total"),
			"Buckets where it is a histogram, and only there":    (m.Kind == check.Histogram) == (len(m.Buckets) > 0),
		})
		seen[m.Name] = true
		for _, l := range m.Labels {
			wants(t, m.Name, map[string]bool{
				"labels in snake case, without those that the exporter stamps: " + l: snake.MatchString(l) && (m.NoTarget || l != "check" && l != "target")})
		}
		text := "# HELP " + m.Name + " " + m.Help + "\n# TYPE " + m.Name + " " + string(m.Kind) + "\n"
		if m.Kind == check.Gauge {
			found, err := promlint.New(strings.NewReader(text + m.Name + " 1\n")).Lint()
			require.NoError(t, err)
			for _, problem := range found {
				t.Errorf("promlint of %s: %s", problem.Metric, problem.Text)
			}
		}
	}
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
			assert.Less(t, leastGap(d.Sooner), leastGap(d), "%s.Sooner looks more often", d.Name)
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
