package exporter

import (
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// A check with a fleet.
var (
	lastSync = &check.Metric{Name: "hmad_mailbox_last_success_sync_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time at which the mailbox last synchronised."}
	lastAttempt = &check.Metric{Name: "hmad_mailbox_last_sync_attempt_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time at which the mailbox last tried."}
	lastChecked = &check.Metric{Name: "hmad_mailbox_checked_timestamp_seconds", Kind: check.Gauge, Labels: []string{"mailbox"},
		Help: "Unix time at which hmad last asked."}
	syncDef = &check.Def{Name: "mailbox_sync", Metrics: []*check.Metric{lastSync, lastAttempt, lastChecked}}
	syncID  = check.ID{Check: "mailbox_sync", Target: "contoso"}
)

// fleetOptions are those of a server with the sync check's tables, which are
// the store's, and whatever metrics come with it.
func fleetOptions(more ...*check.Metric) (Options, *state.Store) {
	store := state.Open("", state.Options{})
	def := &check.Def{Name: syncDef.Name, Metrics: append(more, syncDef.Metrics...)}
	return Options{Store: store, Defs: []*check.Def{def}, Now: func() time.Time { return noon }}, store
}

// mailboxLines returns the lines about mailboxes of a text exposition.
func mailboxLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, "hmad_mailbox") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestTablesGolden(t *testing.T) {
	const golden = "testdata/tables.txt"
	o, store := fleetOptions()
	nan := math.NaN()
	fabrikam := check.ID{Check: "mailbox_sync", Target: "fabrikam"}
	store.Table(fabrikam)(syncDef.Metrics...).Set("c@contoso.com", 1.7e9, nan, 1.8e9)
	table := store.Table(syncID)(syncDef.Metrics...)
	table.Set("b@contoso.com", 1.7e9+.25, 1.75e9, 1.8e9)
	table.Set("a@contoso.com", nan, nan, 1.8e9)
	table.Set("\xffa\n\x1b[31m\u202e\"\\", nan, nan, math.Inf(1))
	table.Set(strings.Repeat("ü", 1000), nan, nan, 0)
	table.Set("", nan, nan, nan)
	table.Dropped(12)
	text := scrape(t, o)
	got := mailboxLines(text)
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(string(want), got), "go test ./internal/exporter -update rewrites it")
	for _, series := range parsed(t, text)[lastChecked.Name].Metric {
		assert.LessOrEqual(t, len(series.Label[1].GetValue()), maxLabel)
	}
}

// parsed reads a text exposition, which must be valid.
func parsed(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err)
	return families
}

// everything gathers what a scrape shows, and fails on what Prometheus' library
// holds to be inconsistent: a series twice, labels out of order.
func everything(s *Server) prometheus.Gatherer {
	return prometheus.Gatherers{prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, done, err := s.gatherer().Gather()
		defer done()
		return families, err
	})}
}

func TestTablesAreLintedClean(t *testing.T) {
	o, store := fleetOptions()
	store.Table(syncID)(syncDef.Metrics...).Set("a@contoso.com", 1, 2, 3)
	s := New(o)
	problems, err := testutil.GatherAndLint(everything(s))
	require.NoError(t, err)
	assert.Empty(t, problems)
}

func TestLabelsAreInOrderOfTheirNames(t *testing.T) {
	for name, want := range map[string]string{
		"account": `hmad_devices{account="a",check="mailbox_sync",target="contoso"} 1`,
		"mailbox": `hmad_devices{check="mailbox_sync",mailbox="a",target="contoso"} 1`,
		"user":    `hmad_devices{check="mailbox_sync",target="contoso",user="a"} 1`,
	} {
		devices := &check.Metric{Name: "hmad_devices", Help: "Devices.", Kind: check.Gauge, Labels: []string{name}}
		o, store := fleetOptions(devices)
		store.Table(syncID)(devices).Set("a", 1)
		assert.Contains(t, scrape(t, o), want+"\n")
	}
}

func TestSeriesOfTablesComeAndGo(t *testing.T) {
	o, store := fleetOptions()
	store.Keep([]check.ID{syncID, contoso})
	table := store.Table(syncID)(syncDef.Metrics...)
	h := New(o).Handler()
	lines := func() []string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		var all []string
		for line := range strings.Lines(mailboxLines(w.Body.String())) {
			if i := strings.Index(line, "{"); i > 0 && strings.HasPrefix(line, lastSync.Name) {
				all = append(all, strings.TrimSpace(line[strings.Index(line, "mailbox="):]))
			}
		}
		return all
	}
	assert.Empty(t, lines(), "no table has a row: no family")
	for n := range 9 {
		table.Set(fmt.Sprint(n), float64(n), 1, 1)
	}
	assert.Len(t, lines(), 9)
	table.Set("4", math.NaN(), 1, 1)
	table.Delete("8")
	assert.Equal(t, `mailbox="5",target="contoso"} 5`, lines()[4])
	table.Keep(func(key string) bool { return key == "7" })
	table.Set("10", 10, 1, 1)
	assert.Equal(t, []string{`mailbox="10",target="contoso"} 10`, `mailbox="7",target="contoso"} 7`}, lines())
	store.Keep([]check.ID{contoso})
	table.Set("11", 11, 1, 1)
	assert.Empty(t, lines(), "its check is gone, though it still sets")
	store.Keep([]check.ID{syncID})
	store.Table(syncID)(syncDef.Metrics...).Set("12", 12, 1, 1)
	assert.Equal(t, []string{`mailbox="12",target="contoso"} 12`}, lines())
}

func TestOneBadTableCostsItselfAlone(t *testing.T) {
	gauge := func(labels ...string) *check.Metric {
		return &check.Metric{Name: "hmad_mailbox_other", Help: "Other.", Kind: check.Gauge, Labels: labels}
	}
	counter, everywhere, other := gauge("mailbox"), gauge("mailbox"), gauge("mailbox")
	counter.Kind, everywhere.NoTarget = check.Counter, true
	for name, c := range map[string]struct {
		declared, given *check.Metric
	}{
		"undeclared":                        {lastSync, other},
		"another metric of a declared name": {gauge("mailbox"), other},
		"a counter":                         {counter, counter},
		"without target":                    {everywhere, everywhere},
		"no label":                          {gauge(), nil},
		"two labels":                        {gauge("mailbox", "device"), nil},
		"another label than its table's":    {gauge("user"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if c.given == nil {
				c.given = c.declared
			}
			o, store := fleetOptions(c.declared)
			store.Table(syncID)(lastSync, c.given).Set("a@contoso.com", 1, 2)
			store.Table(syncID)(c.given).Set("b@contoso.com", 2)
			text := scrape(t, o)
			assert.Contains(t, text, lastSync.Name+`{check="mailbox_sync",mailbox="a@contoso.com",target="contoso"} 1`)
			if name == "another label than its table's" {
				assert.Contains(t, text, `hmad_mailbox_other{check="mailbox_sync",target="contoso",user="b@contoso.com"} 2`)
				assert.Contains(t, text, `hmad_series_dropped{family="hmad_mailbox_other"} 1`)
				return
			}
			assert.NotContains(t, text, c.given.Name+"{")
			assert.Contains(t, text, `hmad_series_dropped{family="hmad_mailbox_other"} 2`)
		})
	}
}

func TestSeriesOfTablesThatAreNotShownAreCounted(t *testing.T) {
	o, store := fleetOptions()
	table := store.Table(syncID)(lastSync, lastAttempt)
	table.Set("\xff", 1, 1)
	table.Set(`\xff`, 2, 2) // what the one above looks like, made fit
	table.Set("a@contoso.com", 3, 3)
	table.Dropped(20)
	store.Table(syncID)(lastAttempt, lastChecked).Set("b@contoso.com", 4, 4)
	text := scrape(t, o)
	parsed(t, text)
	for _, want := range []string{
		`hmad_series_dropped{family="hmad_mailbox_last_success_sync_timestamp_seconds"} 21`,
		`hmad_series_dropped{family="hmad_mailbox_last_sync_attempt_timestamp_seconds"} 22`, // and that of the second table
		`hmad_series_dropped{family="hmad_mailbox_checked_timestamp_seconds"} 0`,
		lastSync.Name + `{check="mailbox_sync",mailbox="\\xff",target="contoso"} 2`,
		lastAttempt.Name + `{check="mailbox_sync",mailbox="a@contoso.com",target="contoso"} 3`,
		lastChecked.Name + `{check="mailbox_sync",mailbox="b@contoso.com",target="contoso"} 4`,
	} {
		assert.Contains(t, text, want+"\n")
	}
	assert.Equal(t, 2, strings.Count(text, lastAttempt.Name+"{"))
}

func TestAFamilyIsNotBothOfATableAndOfAReport(t *testing.T) {
	o, store := fleetOptions()
	r := passedAt(noon)
	r.Check, r.Target = syncID.Check, syncID.Target
	r.Report.Samples = []check.Sample{{Metric: lastSync, Value: 9, Labels: []string{"a@contoso.com"}}}
	store.Record(r)
	assert.Contains(t, scrape(t, o), lastSync.Name+`{check="mailbox_sync",mailbox="a@contoso.com",target="contoso"} 9`)
	store.Table(syncID)(lastSync).Set("a@contoso.com", 1)
	text := scrape(t, o)
	parsed(t, text)
	assert.Contains(t, text, lastSync.Name+`{check="mailbox_sync",mailbox="a@contoso.com",target="contoso"} 1`)
	assert.Contains(t, text, `hmad_series_dropped{family="hmad_mailbox_last_success_sync_timestamp_seconds"} 1`)
}

func TestScrapesThatOverlapShareASheet(t *testing.T) {
	now := noon
	o, store := fleetOptions()
	o.Now = func() time.Time { return now }
	table := store.Table(syncID)(lastSync)
	table.Set("a@contoso.com", 1)
	tables := New(o).collector.tables
	value := func(s *sheet) float64 { return s.families[0].Metric[0].Gauge.GetValue() }

	first := tables.open()
	table.Set("a@contoso.com", 2)
	now = noon.Add(sharing - 1)
	second := tables.open()
	assert.Same(t, first, second)
	assert.Equal(t, 1., value(second), "it does not change under its readers")
	now = noon.Add(sharing)
	third := tables.open()
	assert.Equal(t, 2., value(third), "a slow reader does not hold up the truth")
	assert.Equal(t, 1., value(first))
	tables.close(first)
	tables.close(second)
	tables.close(third)
	now = noon.Add(-time.Hour)
	table.Set("a@contoso.com", 3)
	fourth := tables.open()
	assert.Same(t, third, fourth, "nobody reads it: its memory is used again")
	assert.Equal(t, 3., value(fourth))
	table.Set("a@contoso.com", 4)
	now = now.Add(-time.Minute)
	assert.Equal(t, 4., value(tables.open()), "a clock set back does not either")
}

// TestScrapesWhileTablesChange is for the race detector too: whatever the
// format, a scrape shows the rows of one moment.
func TestScrapesWhileTablesChange(t *testing.T) {
	o, store := fleetOptions()
	o.Now = nil
	h := New(o).Handler()
	table := store.Table(syncID)(syncDef.Metrics...)
	stop := make(chan struct{})
	var writer, readers sync.WaitGroup
	writer.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				v := float64(n)
				table.Set(fmt.Sprint(n%60), v, v, v)
				table.Delete(fmt.Sprint(n * 7 % 60))
			}
		}
	})
	for _, accept := range []string{"text/plain", "application/openmetrics-text", string(expfmt.NewFormat(expfmt.TypeProtoDelim)), "text/plain"} {
		readers.Go(func() {
			for range 50 {
				r, w := httptest.NewRequest("GET", "/metrics", nil), httptest.NewRecorder()
				r.Header.Set("Accept", accept)
				h.ServeHTTP(w, r)
				assert.Equal(t, 200, w.Code)
				if accept == "text/plain" {
					sameEverywhere(t, parsed(t, w.Body.String()))
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writer.Wait()
}

// sameEverywhere holds that each row has one value in every family.
func sameEverywhere(t *testing.T, families map[string]*dto.MetricFamily) {
	seen := map[string]float64{}
	for _, m := range syncDef.Metrics {
		for _, series := range families[m.Name].GetMetric() {
			mailbox, value := series.Label[1].GetValue(), series.Gauge.GetValue()
			if before, ok := seen[mailbox]; ok {
				assert.Equal(t, before, value)
			}
			seen[mailbox] = value
		}
	}
}
