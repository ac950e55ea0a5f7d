package audit

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hmad/hmad/internal/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenant    = "5de110f8-2e0f-4d45-891d-bcf2218e253d"
	thumb     = "8A1C2B3D4E5F60718293A4B5C6D7E8F901234567"
	nextThumb = "0011223344556677889900AABBCCDDEEFF001122"
)

// now is a few minutes after the healthy reports of testdata were made.
var now = time.Date(2026, 11, 22, 9, 20, 0, 0, time.UTC)

// envelope is a report that a test may change.
type envelope struct {
	Schema          int            `json:"schema"`
	Collector       string         `json:"collector"`
	Host            string         `json:"host"`
	IntervalSeconds int            `json:"intervalSeconds"`
	GeneratedAt     string         `json:"generatedAt"`
	DurationMs      int            `json:"durationMs"`
	Sections        map[string]any `json:"sections"`
}

// edit changes one host's report.
type edit func(*envelope)

// data sets every host's section to the given JSON.
func data(section, text string) edit {
	return func(e *envelope) { e.Sections[section] = map[string]any{"ok": true, "data": json.RawMessage(text)} }
}

// failed makes every host's section one that the collector could not read.
func failed(section string) edit {
	return func(e *envelope) { e.Sections[section] = map[string]any{"ok": false, "error": "access denied"} }
}

// absent takes a section out.
func absent(section string) edit { return func(e *envelope) { delete(e.Sections, section) } }

// only leaves these sections in and no other.
func only(names ...string) edit {
	return func(e *envelope) {
		maps.DeleteFunc(e.Sections, func(name string, _ any) bool { return !slices.Contains(names, name) })
	}
}

// of makes an edit that of one host alone.
func of(host string, do edit) edit {
	return func(e *envelope) {
		if e.Host == host {
			do(e)
		}
	}
}

// every says how often a report is made.
func every(interval time.Duration) edit {
	return func(e *envelope) { e.IntervalSeconds = int(interval.Seconds()) }
}

// made dates a report.
func made(at string) edit { return func(e *envelope) { e.GeneratedAt = at } }

// healthy returns the reports of testdata, edited, as JSON by file name.
func healthy(t *testing.T, edits ...edit) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"ex01.json", "ex02.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", "reports", name))
		require.NoError(t, err)
		var e envelope
		require.NoError(t, json.Unmarshal(text, &e))
		for _, do := range edits {
			do(&e)
		}
		files[name], err = json.Marshal(e)
		require.NoError(t, err)
	}
	return files
}

// estateOf returns the estate of the healthy reports, edited.
func estateOf(t *testing.T, edits ...edit) estate {
	t.Helper()
	e := estate{now: now, tenant: tenant, activesync: "https://mail.contoso.com/Microsoft-Server-ActiveSync", tableDate: buildTableDate(), updatesDate: now, cloud: cloud{Instance: worldwide}}
	var arrived []report.Arrived
	for name, text := range healthy(t, edits...) {
		r, err := report.Decode(text)
		require.NoError(t, err)
		arrived = append(arrived, report.Arrived{Report: r, File: name})
	}
	e.Evidence = report.EvidenceOf(arrived, e.now)
	return e
}

// judged is a case of one requirement: what the edited reports lead to.
type judged struct {
	name  string
	edits []edit
	state state
	seen  string // part of what was seen
}

// run judges the cases by the requirement of the table that has the reason.
func run(t *testing.T, reason string, cases []judged) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, requirementOf(t, reason).judge(estateOf(t, c.edits...))) })
	}
}

func (c judged) check(t *testing.T, a answer) {
	t.Helper()
	assert.Equal(t, c.state.String(), a.state.String(), a.seen)
	assert.Contains(t, a.seen, c.seen)
}

func requirementOf(t *testing.T, reason string) requirement {
	t.Helper()
	for _, r := range requirements {
		if r.reason.Name == reason {
			return r
		}
	}
	require.Fail(t, "no requirement has the reason", reason)
	return requirement{}
}
