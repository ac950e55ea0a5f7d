package exporter

import (
	"maps"
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
// where the Metric says NoTarget. It is a prometheus.Collector and safe for
// concurrent use.
type Meter struct {
	counters   map[string]*prometheus.CounterVec
	histograms map[string]*prometheus.HistogramVec
	rejected   prometheus.Counter

	mu   sync.RWMutex
	kept map[check.ID]bool
	gone map[check.ID]bool // a run in flight must not bring back what Keep dropped
}

// known lists label values that are closed sets: their series start at 0, so
// that the first count is an increase and not a new series.
var known = map[*check.Metric][]string{
	check.Runs:   words(check.Outcomes),
	check.Errors: classNames(),
	check.Missed: {check.Overlap, check.Late, check.Clock},
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

// NewMeter makes the vectors of the common families and of those counters and
// histograms among metrics; gauges and repetitions are passed over.
func NewMeter(metrics []*check.Metric) *Meter {
	m := &Meter{
		counters:   map[string]*prometheus.CounterVec{},
		histograms: map[string]*prometheus.HistogramVec{},
		rejected:   prometheus.NewCounter(prometheus.CounterOpts{Name: MeterRejected.Name, Help: MeterRejected.Help}),
		kept:       map[check.ID]bool{},
		gone:       map[check.ID]bool{},
	}
	for _, f := range slices.Concat(check.Common, metrics) {
		switch {
		case f.Kind == check.Counter && m.counters[f.Name] == nil:
			m.counters[f.Name] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help}, labelNames(f))
		case f.Kind == check.Histogram && m.histograms[f.Name] == nil:
			m.histograms[f.Name] = prometheus.NewHistogramVec(histogram(f), labelNames(f))
		}
	}
	return m
}

// histogram keeps classic buckets beside the native ones, as those who scrape
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
func (m *Meter) For(id check.ID) check.Meter { return meter{m, id} }

type meter struct {
	*Meter
	id check.ID
}

// Add adds v, which is not negative, to a counter.
func (m meter) Add(f *check.Metric, v float64, labels ...string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.gone[m.id] && !f.NoTarget {
		return
	}
	vec := m.counters[f.Name]
	if vec == nil || v < 0 || math.IsNaN(v) {
		m.rejected.Inc()
		return
	}
	c, err := vec.GetMetricWithLabelValues(labelValues(f, m.id, labels)...)
	if err != nil {
		m.rejected.Inc()
		return
	}
	c.Add(v)
}

// Observe counts v in a histogram.
func (m meter) Observe(f *check.Metric, v float64, labels ...string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.gone[m.id] && !f.NoTarget {
		return
	}
	vec := m.histograms[f.Name]
	if vec == nil || math.IsNaN(v) {
		m.rejected.Inc()
		return
	}
	h, err := vec.GetMetricWithLabelValues(labelValues(f, m.id, labels)...)
	if err != nil {
		m.rejected.Inc()
		return
	}
	h.Observe(v)
}

// Keep starts the known series of the given checks at 0 and drops every series
// of those that an earlier Keep named and this one does not.
func (m *Meter) Keep(ids []check.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.kept
	m.kept = map[check.ID]bool{}
	for _, id := range ids {
		m.kept[id] = true
		delete(m.gone, id)
		m.start(id)
	}
	maps.DeleteFunc(old, func(id check.ID, _ bool) bool { return m.kept[id] })
	if len(old) > 0 {
		maps.Copy(m.gone, old)
		m.drop(old)
	}
}

func (m *Meter) start(id check.ID) {
	for f, values := range known {
		for _, v := range values {
			m.counters[f.Name].WithLabelValues(labelValues(f, id, []string{v})...)
		}
	}
	m.histograms[check.Duration.Name].WithLabelValues(labelValues(check.Duration, id, nil)...)
}

// drop deletes every series of the checks. It looks at each series once,
// however many checks there are.
func (m *Meter) drop(gone map[check.ID]bool) {
	doomed := map[[2]string]bool{}
	for id := range gone {
		doomed[[2]string{label(id.Check), label(id.Target)}] = true
	}
	for _, vec := range m.counters {
		dropFrom(vec.MetricVec, doomed)
	}
	for _, vec := range m.histograms {
		dropFrom(vec.MetricVec, doomed)
	}
}

// dropFrom deletes the series whose values of check and target are doomed.
func dropFrom(vec *prometheus.MetricVec, doomed map[[2]string]bool) {
	all := make(chan prometheus.Metric, 1000)
	go func() {
		defer close(all)
		vec.Collect(all)
	}()
	var gone []prometheus.Labels
	for series := range all {
		if labels := labelsOf(series); doomed[[2]string{labels["check"], labels["target"]}] {
			gone = append(gone, labels)
		}
	}
	for _, labels := range gone {
		vec.Delete(labels)
	}
}

func labelsOf(series prometheus.Metric) prometheus.Labels {
	var d dto.Metric
	if err := series.Write(&d); err != nil {
		return nil // not reached: counters and histograms can always be written
	}
	labels := make(prometheus.Labels, len(d.Label))
	for _, l := range d.Label {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

// Describe implements prometheus.Collector.
func (m *Meter) Describe(ch chan<- *prometheus.Desc) {
	m.rejected.Describe(ch)
	for _, vec := range m.counters {
		vec.Describe(ch)
	}
	for _, vec := range m.histograms {
		vec.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Meter) Collect(ch chan<- prometheus.Metric) {
	m.rejected.Collect(ch)
	for _, vec := range m.counters {
		vec.Collect(ch)
	}
	for _, vec := range m.histograms {
		vec.Collect(ch)
	}
}

func classNames() []string {
	var out []string
	for _, c := range check.Classes {
		out = append(out, c.Name)
	}
	return out
}
