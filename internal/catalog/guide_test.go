package catalog_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/check"
)

var (
	guideName = regexp.MustCompile("\\[`([a-z_]+)(?:\\.([a-z_]+))?`\\]\\(checks\\.md#([a-z_]+)\\)")
	guideStep = regexp.MustCompile(`(?m)^\| (?:\*\*(\d+)\*\* ([^|]+?)|(\d+)(, not seen)?) \|.*$`)
)

func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/guide.md")
	require.NoError(t, err)
	return string(text)
}

// Every check and every reason that docs/guide.md names exists, and its link
// leads to its own heading.
func TestNamesInTheGuideDocument(t *testing.T) {
	names := guideName.FindAllStringSubmatch(guide(t), -1)
	require.Greater(t, len(names), 100)
	for _, m := range names {
		d := catalog.Find(m[1])
		if !assert.NotNil(t, d, "no check %s", m[1]) {
			continue
		}
		known := m[2] == "" || slices.ContainsFunc(d.Reasons, func(r *check.Reason) bool { return r.Name == m[2] })
		assert.True(t, known, "%s has no reason %s", m[1], m[2])
		assert.Equal(t, m[1]+m[2], m[3], "link of %s", m[0])
	}
}

// stepRows returns the rows of each step of the connection flow in
// docs/guide.md, and the titles of the steps in their order.
func stepRows(t *testing.T) (rows map[string]string, titles []string, unseen map[string]bool) {
	t.Helper()
	rows, unseen = map[string]string{}, map[string]bool{}
	for _, m := range guideStep.FindAllStringSubmatch(guide(t), -1) {
		if m[1] != "" {
			titles = append(titles, m[1]+" "+m[2])
		}
		step := m[1] + m[3]
		rows[step] += m[0] + "\n"
		unseen[step] = unseen[step] || m[4] != ""
	}
	return rows, titles, unseen
}

// The table of the connection flow has every step, says of each what is not
// seen, and names every check in each step that the check watches.
func TestStepsInTheGuideDocument(t *testing.T) {
	rows, titles, unseen := stepRows(t)
	var want []string
	for i, step := range check.Flow {
		want = append(want, fmt.Sprintf("%d %s", i+1, step.Title))
		assert.True(t, unseen[fmt.Sprint(i+1)], "step %d does not say what is not seen", i+1)
	}
	assert.Equal(t, want, titles)
	for _, d := range catalog.Defs() {
		for _, step := range d.Steps {
			assert.True(t, strings.Contains(rows[fmt.Sprint(step)], "[`"+d.Name+"`](checks.md#"+d.Name+")"), "step %d does not name %s", step, d.Name)
		}
	}
}
