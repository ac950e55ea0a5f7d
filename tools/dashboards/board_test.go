package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/catalog"
	"github.com/hmad/hmad/internal/sync"
)

// What the tests read of a dashboard, as Grafana does.
type (
	readBoard struct {
		UID, Title, Description, Refresh string
		Editable                         bool
		Panels                           []readPanel
		Templating                       struct{ List []readVariable }
		Annotations                      struct{ List []readAnnotation }
		Links                            []readLink
		text                             string // the JSON itself
	}
	readPanel struct {
		ID                       int
		Type, Title, Description string
		Panels                   []readPanel // of a folded row
		Repeat                   string
		Options                  struct {
			PerPage    *float64
			CellHeight string
			SortBy     []struct{ DisplayName string }
			Legend     struct {
				DisplayMode, SortBy string
				Calcs               []string
			}
			Text struct{ ValueSize, TitleSize float64 }
		}
		Datasource  struct{ Type, UID string }
		GridPos     struct{ X, Y, W, H int }
		Targets     []readTarget
		FieldConfig struct {
			Defaults  readField
			Overrides []readOverride
		}
		Transformations []struct {
			ID      string
			Options struct{ RenameByName map[string]string }
		}
	}
	readField struct {
		Unit, NoValue string
		Color         struct{ Mode string }
		Links         []struct {
			URL         string
			TargetBlank bool
		}
		Mappings   []readMapping
		Thresholds *readThresholds
	}
	readOverride struct {
		Matcher    readMatcher
		Properties []struct {
			ID    string
			Value json.RawMessage
		}
	}
	readMatcher struct{ ID, Options string }
	readMapping struct {
		Options map[string]readWord // of values
		Empty   *readWord           // of no value
	}
	readWord       struct{ Text, Color string }
	readThresholds struct{ Steps []readStep }
	readStep       struct {
		Value *float64
		Color string
	}
	readTarget struct {
		Datasource                        struct{ UID string }
		Expr, LegendFormat, Format, RefID string
		Instant, Range                    bool
	}
	readVariable struct {
		Name, Label, Type, AllValue string
		Query                       any
		Datasource                  struct{ UID string }
		Multi, IncludeAll           bool
		Refresh                     int
	}
	readAnnotation struct {
		Expr       string
		Enable     bool
		Datasource struct{ UID string }
	}
	readLink struct{ Title, URL string }
)

// UnmarshalJSON reads a word for values, or the one for no value.
func (m *readMapping) UnmarshalJSON(data []byte) error {
	var special struct {
		Type    string
		Options struct {
			Match  string
			Result readWord
		}
	}
	var values struct{ Options map[string]readWord }
	if err := json.Unmarshal(data, &special); err == nil && special.Type == "special" {
		if special.Options.Match != "null+nan" {
			return fmt.Errorf("a word for %s, want null+nan", special.Options.Match)
		}
		m.Empty = &special.Options.Result
		return nil
	}
	err := json.Unmarshal(data, &values)
	m.Options = values.Options
	return err
}

// graphs lists the panels that show something: those that are no row.
func (b readBoard) graphs() []readPanel {
	var out []readPanel
	for _, p := range b.Panels {
		if p.Type != "row" {
			out = append(out, p)
		}
		out = append(out, p.Panels...)
	}
	return out
}

// readBoards returns the dashboards as Grafana reads them, in the order of boards.
// TestGeneratedFilesAreCurrent holds the files that ship to them.
func readBoards(t *testing.T) []readBoard {
	t.Helper()
	var out []readBoard
	for _, b := range boards() {
		data, err := b.json()
		require.NoError(t, err)
		var r readBoard
		require.NoError(t, json.Unmarshal(data, &r))
		r.text = string(data)
		out = append(out, r)
	}
	return out
}

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := rendered()
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		if string(want) != string(got) {
			t.Errorf("%s is behind the code: run `make generate`", name)
		}
	}
	onDisk, err := filepath.Glob(filepath.Join(root, "deploy/grafana/dashboards/*.json"))
	require.NoError(t, err)
	assert.Len(t, onDisk, len(boards()), "a file that nothing generates any more")
}

func TestPanelsFillTheGridWithoutOverlap(t *testing.T) {
	for _, b := range readBoards(t) {
		taken, ids := map[[2]int]string{}, map[int]bool{}
		for _, p := range b.Panels {
			assert.False(t, ids[p.ID], "%s: two panels have the number %d", b.Title, p.ID)
			ids[p.ID] = true
			assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, "%s / %s", b.Title, p.Title)
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					assert.Empty(t, taken[at], "%s / %s lies on another panel", b.Title, p.Title)
					taken[at] = p.Title
				}
			}
		}
		height := 0
		for at := range taken {
			height = max(height, at[1]+1)
		}
		assert.Equal(t, 24*height, len(taken), "%s: a hole in the layout", b.Title)
	}
}

func TestLinksLeadToHeadingsAndBoardsThatExist(t *testing.T) {
	headings := map[string]bool{}
	for line := range strings.Lines(catalog.ChecksDoc()) {
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			headings[strings.ReplaceAll(strings.TrimSpace(heading), ".", "")] = true
		}
	}
	for _, d := range catalog.Defs() {
		for _, r := range d.Reasons {
			assert.True(t, headings[d.Name+r.Name], "docs/checks.md has no heading for the link of %s.%s", d.Name, r.Name)
		}
	}
	text := ""
	for _, b := range boards() {
		data, err := b.json()
		require.NoError(t, err)
		text += string(data)
	}
	for rest := text; ; {
		_, after, found := strings.Cut(rest, `"/d/`)
		if !found {
			break
		}
		uid, tail, _ := strings.Cut(after, "?")
		assert.Contains(t, text, fmt.Sprintf(`"uid": %q`, uid), "a link leads to no board")
		rest = tail
	}
	for _, name := range []string{"checks.md", "dashboards.md", "alerting.md"} {
		assert.Contains(t, text, docsURL+name)
		assert.FileExists(t, filepath.Join(root, "docs", name))
	}
	assert.Contains(t, text, docsURL+"alerting.md#alerts-about-hmad-itself")
	assert.Contains(t, readDoc(t, "alerting.md"), "\n## Alerts about hmad itself\n")
}

// Grafana shows a text as it stands: nobody executes a template in it.
func TestTextsHoldNoTemplates(t *testing.T) {
	for _, b := range boards() {
		data, err := b.json()
		require.NoError(t, err)
		texts := regexp.MustCompile(`"text": "(.*)"`).FindAllStringSubmatch(string(data), -1)
		assert.NotEmpty(t, texts)
		for _, m := range texts {
			assert.NotContains(t, m[1], "{{", b.title)
		}
	}
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docs", name))
	require.NoError(t, err)
	return string(data)
}

// Each board has a part of docs/dashboards.md, with a paragraph for each row.
func TestEveryRowIsExplained(t *testing.T) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(readDoc(t, "dashboards.md"), "\n### ") {
		title, text, _ := strings.Cut(part, "\n")
		parts[title] = text
	}
	for _, b := range boards() {
		name := strings.TrimPrefix(b.title, "hmad / ")
		require.Contains(t, parts, name)
		text := strings.Split(parts[name], "\n## ")[0]
		var paragraphs, rows []string
		for _, m := range regexp.MustCompile(`(?m)^\*\*(.+?)\.?\*\* .{40}`).FindAllStringSubmatch(text, -1) {
			paragraphs = append(paragraphs, m[1])
		}
		for _, r := range b.rows {
			title, _, _ := strings.Cut(r.title, ": $")
			if !r.made() {
				rows = append(rows, title)
			}
		}
		assert.Equal(t, rows, paragraphs, name)
	}
}

// Targets of one tenant share its budget; a curve of it beside calls, which are
// each target's, says whose it is.
func TestTheBudgetIsCalledTheTenants(t *testing.T) {
	shown := 0
	for _, b := range readBoards(t) {
		for _, p := range b.graphs() {
			for _, q := range p.Targets {
				if strings.Contains(q.Expr, sync.BudgetCalls.Name) {
					shown++
					assert.Contains(t, q.LegendFormat, "tenant", p.Title)
					assert.Contains(t, p.Description, "targets of one tenant share it", p.Title)
				}
			}
		}
	}
	assert.NotZero(t, shown)
}
