package exporter

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/hmad/hmad/internal/check"
)

// Meter holds the counters and histograms of all checks. They live as long as
// the process; the labels check and target are stamped on every series, except
// where the Metric says NoTarget. It is safe for concurrent use.
//
// Counters are plain numbers here, and not client_golang's: thousands of targets
// have hundreds of thousands of them, nearly all 0. As a prometheus.Collector a
// Meter has the histograms alone.
type Meter struct {
	families   map[string]*family // of counters
	histograms map[string]*prometheus.HistogramVec

	mu       sync.Mutex
	checks   map[check.ID]*tally
	order    []*tally          // of the series: that of Keep's ids, then that of the first count
	gone     map[check.ID]bool // a run in flight must not bring back what Keep dropped
	rejected float64           // what was not as declared
}

// tally is the counters of one check. Those without target are in the tally
// of the zero ID.
type tally struct {
	id       check.ID
	counters []counter
}

// counter is one series.
type counter struct {
	family *family
	labels []string // the family's own
	value  float64
}

// known lists label values that are closed sets: their series start at 0, so
// that the first count is an increase and not a new series.
var known = map[*check.Metric][][]string{
	check.Runs:   words(check.Outcomes),
	check.Errors: classNames(),
	check.Missed: {{check.Overlap}, {check.Late}, {check.Clock}},
}

// words returns each of the list as the only label of a series.
func words[T ~string](list []T) [][]string {
	var out [][]string
	for _, w := range list {
		out = append(out, []string{string(w)})
	}
	return out
}

func classNames() [][]string {
	var out [][]string
	for _, c := range check.Classes {
		out = append(out, []string{c.Name})
	}
	return out
}

// NewMeter returns a Meter of the common families and of those counters and
// histograms among metrics; gauges and repetitions are passed over.
func NewMeter(metrics []*check.Metric) *Meter {
	m := &Meter{
		families:   map[string]*family{},
		histograms: map[string]*prometheus.HistogramVec{},
		checks:     map[check.ID]*tally{},
		gone:       map[check.ID]bool{},
	}
	for _, f := range slices.Concat(check.Common, metrics) {
		switch {
		case f.Kind == check.Counter && m.families[f.Name] == nil:
			m.families[f.Name] = newFamily(f, false)
		case f.Kind == check.Histogram && m.histograms[f.Name] == nil:
			m.histograms[f.Name] = prometheus.NewHistogramVec(histogram(f), labelNames(f))
		}
	}
	return m
}

// histogram keeps classic buckets in addition to the native ones, as those who scrape
// without native histograms need them.
func histogram(f *check.Metric) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: f.Name, Help: f.Help, Buckets: f.Buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// labelNames returns a family's labels as exposed.
func labelNames(f *check.Metric) []string {
	if f.NoTarget {
		return f.Labels
	}
	return append([]string{"check", "target"}, f.Labels...)
}

// labelValues returns the values for labelNames, made fit for exposition.
func labelValues(f *check.Metric, id check.ID, own []string) []string {
	values := make([]string, 0, len(own)+2)
	if !f.NoTarget {
		values = append(values, label(id.Check), label(id.Target))
	}
	for _, v := range own {
		values = append(values, label(v))
	}
	return values
}

// For returns the Meter of one check. What does not fit its declaration is
// counted in hmad_meter_rejected_total and otherwise ignored.
func (m *Meter) For(id check.ID) check.Meter { return checkMeter{m, id} }

// checkMeter is the Meter of one check.
type checkMeter struct {
	*Meter
	id check.ID
}

// Add adds v, which is not negative, to a counter.
func (m checkMeter) Add(f *check.Metric, v float64, labels ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := m.id
	if f.NoTarget {
		id = check.ID{}
	}
	if m.gone[id] {
		return
	}
	family := m.families[f.Name]
	if family == nil || !family.fits(f, labels) || v < 0 || math.IsNaN(v) {
		m.rejected++
		return
	}
	own := make([]string, len(labels))
	for i, l := range labels {
		own[i] = label(l)
	}
	m.tallyOf(id).counter(family, own).value += v
}

// tallyOf returns the tally of a check, new ones if there are none.
func (m *Meter) tallyOf(id check.ID) *tally {
	c := m.checks[id]
	if c == nil {
		c = &tally{id: id}
		m.checks[id] = c
		m.order = append(m.order, c)
	}
	return c
}

// counter returns the counter with the labels, which it keeps: a new one at 0 if
// there is none.
func (c *tally) counter(f *family, labels []string) *counter {
	i := slices.IndexFunc(c.counters, func(old counter) bool { return old.family == f && slices.Equal(old.labels, labels) })
	if i < 0 {
		i = len(c.counters)
		c.counters = append(c.counters, counter{f, labels, 0})
	}
	return &c.counters[i]
}

// Observe counts v in a histogram.
func (m checkMeter) Observe(f *check.Metric, v float64, labels ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone[m.id] && !f.NoTarget {
		return
	}
	vec := m.histograms[f.Name]
	if vec == nil || math.IsNaN(v) {
		m.rejected++
		return
	}
	h, err := vec.GetMetricWithLabelValues(labelValues(f, m.id, labels)...)
	if err != nil {
		m.rejected++
		return
	}
	h.Observe(v)
}

// Keep starts the known series of the given checks at 0 and drops every series
// of all other checks.
func (m *Meter) Keep(ids []check.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.checks
	m.checks, m.order = make(map[check.ID]*tally, len(ids)+1), make([]*tally, 0, len(ids)+1)
	keep := func(id check.ID) {
		if c := old[id]; c != nil {
			m.checks[id] = c
			m.order = append(m.order, c)
			delete(old, id)
		}
	}
	keep(check.ID{})
	for _, id := range ids {
		keep(id)
		delete(m.gone, id)
		m.start(id)
	}
	for id := range old {
		m.gone[id] = true
	}
	if len(old) > 0 {
		for _, vec := range m.histograms {
			drop(vec.MetricVec, old)
		}
	}
}

// start makes the known series of a check, where they are missing.
func (m *Meter) start(id check.ID) {
	c := m.tallyOf(id)
	for f, values := range known {
		for _, v := range values {
			c.counter(m.families[f.Name], v)
		}
	}
	m.histograms[check.Duration.Name].WithLabelValues(labelValues(check.Duration, id, nil)...)
}

// drop deletes the series of the checks. It looks at each series once, however
// many checks there are.
func drop(vec *prometheus.MetricVec, gone map[check.ID]*tally) {
	doomed := map[[2]string]bool{}
	for id := range gone {
		doomed[[2]string{label(id.Check), label(id.Target)}] = true
	}
	all := make(chan prometheus.Metric, 1000)
	go func() {
		defer close(all)
		vec.Collect(all)
	}()
	var found []prometheus.Labels
	for series := range all {
		if labels := labelsOf(series); doomed[[2]string{labels["check"], labels["target"]}] {
			found = append(found, labels)
		}
	}
	for _, labels := range found {
		vec.Delete(labels)
	}
}

func labelsOf(series prometheus.Metric) prometheus.Labels {
	var d dto.Metric
	if err := series.Write(&d); err != nil {
		return nil // not reached: a histogram can always be written
	}
	labels := make(prometheus.Labels, len(d.Label))
	for _, l := range d.Label {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

// collect adds every counter.
func (m *Meter) collect(to *assembly) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.order {
		for _, n := range c.counters {
			to.add(n.family, labelValues(n.family.metric, c.id, n.labels), n.value)
		}
	}
	to.add(newFamily(MeterRejected, false), nil, m.rejected)
}

// Describe implements prometheus.Collector.
func (m *Meter) Describe(ch chan<- *prometheus.Desc) {
	for _, vec := range m.histograms {
		vec.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Meter) Collect(ch chan<- prometheus.Metric) {
	for _, vec := range m.histograms {
		vec.Collect(ch)
	}
}
