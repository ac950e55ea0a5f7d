package exporter

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/state"
)

// sharing is how long after its moment a sheet may be shown to further scrapes
// while others still read it: as long as a scrape may take, so that there are
// never more than two.
const sharing = scrapeTimeout

// tables shows the Store's tables. There may be hundreds of thousands of
// series, and a registry copies, hashes and sorts every one of them at every
// scrape; here the families stand ready, in memory that is used again: a scrape
// fills in the values. Scrapes that overlap read the same sheet.
type tables struct {
	source   Source
	families map[string]*family
	now      func() time.Time

	mu    sync.Mutex
	sheet *sheet // the latest
}

// sheet is what all tables show at one moment. It changes only while nobody
// reads it.
type sheet struct {
	at       time.Time
	readers  int
	families []*dto.MetricFamily
	dropped  map[string]int // series that are not shown, by family
	views    map[*state.Table]*tableView
}

// open returns a sheet that does not change until it is given back.
func (t *tables) open() *sheet {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if age := now.Sub(t.sheet.at); t.sheet.readers > 0 && (age < 0 || age >= sharing) {
		t.sheet = &sheet{} // its readers are slow; others must not see old values for it
	}
	if t.sheet.readers == 0 {
		t.sheet.at = now
		t.sheet.fill(t.source.Tables(), t.families)
	}
	t.sheet.readers++
	return t.sheet
}

func (t *tables) close(s *sheet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.readers--
}

// dropped returns what the latest sheet leaves out, and the families that it
// shows.
func (t *tables) dropped() (dropped map[string]int, shown map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dropped, shown = map[string]int{}, map[string]bool{}
	for name, n := range t.sheet.dropped {
		dropped[name] = n
	}
	for _, f := range t.sheet.families {
		shown[f.GetName()] = true
	}
	return dropped, shown
}

// fill makes the sheet what the tables hold now. A metric that is not declared
// as a gauge of one label, or that another table of the same check has, is left
// out and counted.
func (s *sheet) fill(all []*state.Table, declared map[string]*family) {
	old, byName := s.views, map[string]*dto.MetricFamily{}
	s.families, s.dropped, s.views = nil, map[string]int{}, map[*state.Table]*tableView{}
	taken := map[tableFamily]bool{}
	for _, table := range all {
		v := old[table]
		if v == nil {
			v = newView(table)
		}
		s.views[table] = v
		dropped := v.read()
		for i, m := range table.Metrics {
			s.dropped[m.Name] += dropped
			one := tableFamily{table.ID, m.Name}
			if taken[one] || !v.fits(m, declared) {
				s.dropped[m.Name] += len(v.shown)
				continue
			}
			taken[one] = true
			s.show(v, i, byName)
		}
	}
}

type tableFamily struct {
	check  check.ID
	family string
}

// show adds a view's series of its i-th metric to their family.
func (s *sheet) show(v *tableView, i int, families map[string]*dto.MetricFamily) {
	m := v.table.Metrics[i]
	f := families[m.Name]
	if f == nil {
		f = &dto.MetricFamily{Name: &m.Name, Help: &m.Help, Type: dto.MetricType_GAUGE.Enum(), Metric: make([]*dto.Metric, 0, len(v.shown))}
	}
	for _, r := range v.shown {
		if c := &r.cells[i]; !math.IsNaN(c.value) {
			f.Metric = append(f.Metric, &c.metric)
		}
	}
	if len(f.Metric) > 0 && families[m.Name] == nil {
		families[m.Name] = f
		s.families = append(s.families, f)
	}
}

// tableView is one table, ready to be shown: rows whose parts point to each
// other once and for all.
type tableView struct {
	table         *state.Table
	check, target dto.LabelPair
	own           string // name of the rows' own label
	rows          []*row
	shown         []*row // those in use now, in order
}

// row is a table's row as series; they share their labels.
type row struct {
	key, label string
	own        dto.LabelPair
	labels     [3]*dto.LabelPair // by name
	cells      []cell
}

// cell is one series.
type cell struct {
	value  float64
	gauge  dto.Gauge
	metric dto.Metric
}

func newView(t *state.Table) *tableView {
	v := &tableView{table: t}
	pair(&v.check, "check", label(t.ID.Check))
	pair(&v.target, "target", label(t.ID.Target))
	if len(t.Metrics) > 0 {
		v.own = strings.Join(t.Metrics[0].Labels, " ")
	}
	return v
}

func pair(p *dto.LabelPair, name, value string) { p.Name, p.Value = &name, &value }

// fits reports whether a metric can be shown: a declared gauge with no label but
// the rows'.
func (v *tableView) fits(m *check.Metric, declared map[string]*family) bool {
	f := declared[m.Name]
	return f != nil && f.sampled && f.metric == m && !m.NoTarget && len(m.Labels) == 1 && m.Labels[0] == v.own
}

// read takes the table's rows as they are now and gives the number of those
// that are not shown. The common case is that nothing but values has changed.
func (v *tableView) read() (dropped int) {
	n, odd := 0, false
	dropped = v.table.Each(func(key string, values []float64) {
		if n == len(v.rows) {
			v.rows = append(v.rows, v.newRow())
		}
		r := v.rows[n]
		if r.key != key {
			r.key, r.label = key, label(key)
		}
		odd = odd || r.label != key
		for i, value := range values {
			r.cells[i].value = value
		}
		n++
	})
	if n < len(v.rows)/2 {
		v.rows = slices.Clone(v.rows[:n])
	}
	v.shown = v.rows[:n]
	if odd {
		v.distinguish()
	}
	return dropped + n - len(v.shown)
}

// distinguish puts rows in order that were not fit to be shown as they are, and
// leaves out what looks like another.
func (v *tableView) distinguish() {
	v.shown = slices.Clone(v.shown)
	slices.SortStableFunc(v.shown, func(x, y *row) int { return strings.Compare(x.label, y.label) })
	v.shown = slices.CompactFunc(v.shown, func(x, y *row) bool { return x.label == y.label })
}

func (v *tableView) newRow() *row {
	r := &row{labels: [3]*dto.LabelPair{&v.check, nil, &v.target}, cells: make([]cell, len(v.table.Metrics))}
	r.own.Name, r.own.Value = &v.own, &r.label
	r.labels[1] = &r.own
	slices.SortFunc(r.labels[:], func(x, y *dto.LabelPair) int { return strings.Compare(x.GetName(), y.GetName()) })
	for i := range r.cells {
		c := &r.cells[i]
		c.gauge.Value = &c.value
		c.metric.Gauge, c.metric.Label = &c.gauge, r.labels[:]
	}
	return r
}
