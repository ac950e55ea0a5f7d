package exporter

import (
	"cmp"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/hmad/hmad/internal/check"
)

// family is a declared metric, ready to be shown.
type family struct {
	metric  *check.Metric
	names   []string // labels as exposed, sorted
	places  []int    // of the values of names, in what labelValues returns
	sampled bool     // a check's reports give its values
}

func newFamily(m *check.Metric, sampled bool) *family {
	exposed := labelNames(m)
	f := &family{metric: m, sampled: sampled && m.Kind == check.Gauge, places: make([]int, len(exposed))}
	for i := range f.places {
		f.places[i] = i
	}
	slices.SortFunc(f.places, func(a, b int) int { return cmp.Compare(exposed[a], exposed[b]) })
	for _, i := range f.places {
		f.names = append(f.names, exposed[i])
	}
	return f
}

// fits reports whether a sample of m with these labels belongs to the family.
func (f *family) fits(m *check.Metric, labels []string) bool {
	return m.NoTarget == f.metric.NoTarget && len(labels) == len(f.metric.Labels)
}

// assembly builds the families of one scrape. A registry of client_golang copies,
// checks and sorts every series at every scrape, which takes seconds for the
// million series of some thousand targets. Here they are built in blocks of
// memory, share their label pairs, and stay in the order in which they come.
type assembly struct {
	families map[string]*dto.MetricFamily
	pairs    map[labelPair]*dto.LabelPair
	points   []point          // the rest of a block
	labels   []*dto.LabelPair // the rest of a block
}

type labelPair struct{ name, value string }

// point is a series and what it points to.
type point struct {
	metric  dto.Metric
	gauge   dto.Gauge
	counter dto.Counter
	value   float64
}

// blockSize is how many points are allocated at once.
const blockSize = 1024

func newAssembly() *assembly {
	return &assembly{families: map[string]*dto.MetricFamily{}, pairs: map[labelPair]*dto.LabelPair{}}
}

// add adds a series; values are what labelValues returns.
func (a *assembly) add(f *family, values []string, v float64) {
	if len(a.points) == 0 {
		a.points = make([]point, blockSize)
	}
	p := &a.points[0]
	a.points = a.points[1:]
	p.value, p.metric.Label = v, a.labelled(f, values)
	if f.metric.Kind == check.Counter {
		p.counter.Value = &p.value
		p.metric.Counter = &p.counter
	} else {
		p.gauge.Value = &p.value
		p.metric.Gauge = &p.gauge
	}
	family := a.family(f.metric)
	family.Metric = append(family.Metric, &p.metric)
}

// labelled returns the pairs of a series.
func (a *assembly) labelled(f *family, values []string) []*dto.LabelPair {
	n := len(f.names)
	if len(a.labels) < n {
		a.labels = make([]*dto.LabelPair, 4*blockSize)
	}
	out := a.labels[:n:n]
	a.labels = a.labels[n:]
	for i, name := range f.names {
		out[i] = a.pair(name, values[f.places[i]])
	}
	return out
}

func (a *assembly) pair(name, value string) *dto.LabelPair {
	key := labelPair{name, value}
	p := a.pairs[key]
	if p == nil {
		p = newPair(name, value)
		a.pairs[key] = p
	}
	return p
}

func newPair(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

func (a *assembly) family(m *check.Metric) *dto.MetricFamily {
	f := a.families[m.Name]
	if f == nil {
		kind := dto.MetricType_GAUGE
		if m.Kind == check.Counter {
			kind = dto.MetricType_COUNTER
		}
		f = &dto.MetricFamily{Name: &m.Name, Help: &m.Help, Type: kind.Enum()}
		a.families[m.Name] = f
	}
	return f
}

// all returns the families, in no order.
func (a *assembly) all() []*dto.MetricFamily {
	out := make([]*dto.MetricFamily, 0, len(a.families))
	for _, f := range a.families {
		out = append(out, f)
	}
	return out
}

// inOrder sorts families by name. Of two with one name the first stays.
func inOrder(families []*dto.MetricFamily) []*dto.MetricFamily {
	slices.SortStableFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return slices.CompactFunc(families, func(a, b *dto.MetricFamily) bool { return a.GetName() == b.GetName() })
}
