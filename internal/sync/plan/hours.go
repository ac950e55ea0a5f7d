package plan

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Hour counts what was looked at in one hour and what of it moved: samples and
// those that had just synchronised, or requests and those that succeeded.
type Hour struct{ Asked, Moved int }

// Hours are the counts of the last four weeks, by hour. Both checks use them to
// tell a stop from a quiet hour: what is usual is what the same time of the
// week saw, because offices keep weeks. The zero Hours is ready.
type Hours struct{ counts map[int64]Hour }

const (
	hoursOfDay  = 24
	hoursOfWeek = 7 * hoursOfDay
	weeksKept   = 4
	hoursKept   = weeksKept*hoursOfWeek + hoursOfDay
	restless    = 4 // times what a restless fleet's quietest hour sees is more than the busiest
)

// clone returns a copy that goes its own way.
func (h *Hours) clone() Hours { return Hours{maps.Clone(h.counts)} }

// Add counts at a moment.
func (h *Hours) Add(at time.Time, asked, moved int) {
	if h.counts == nil {
		h.counts = map[int64]Hour{}
	}
	n := hourOf(at)
	c, known := h.counts[n]
	h.counts[n] = Hour{c.Asked + asked, c.Moved + moved}
	if !known { // so that there is something to forget
		maps.DeleteFunc(h.counts, func(old int64, _ Hour) bool { return old < n-hoursKept || old > n+1 })
	}
}

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// Measure returns the value of an hour; false: it was looked at too little.
type Measure func(Hour) (float64, bool)

// Usual gives what is usual around a moment, and whether that is known. The
// same time of the last four weeks decides, in the middle, so that neither an
// outage nor a holiday becomes the norm. One week alone is believed unless most
// of the days since saw twice as much: a Saturday and an outage look the same
// then. In the first week, of which no weekend is known, only what is never at
// rest has a norm.
func (h *Hours) Usual(at time.Time, value Measure) (float64, bool) {
	weeks := h.before(at, hoursOfWeek, weeksKept, value)
	switch len(weeks) {
	case 0:
		return h.quietest(at, value)
	case 1:
		days := h.before(at, hoursOfDay, 6, value)
		if len(days) == 0 || weeks[0] < middle(days)/2 {
			return 0, false
		}
	}
	return middle(weeks), true
}

// before gives what is known of so many moments, each so many hours before the
// next.
func (h *Hours) before(at time.Time, hours, times int, value Measure) (known []float64) {
	for range times {
		at = at.Add(-time.Duration(hours) * time.Hour)
		if v, ok := h.around(at, value); ok {
			known = append(known, v)
		}
	}
	return known
}

// middle gives the median; of an even number the greater of the two.
func middle(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// around gives the least within an hour before and after a moment: people come
// and go by clocks that are put back and forward twice a year. An hour's value
// is that of its middle, and between two of them it runs straight.
func (h *Hours) around(at time.Time, value Measure) (float64, bool) {
	at = at.Add(-30 * time.Minute)
	n, part := hourOf(at), float64(at.Unix()%3600)/3600
	var v [4]float64 // the middles of four hours, of which the moment is between the second and third
	var ok [4]bool
	for i := range v {
		v[i], ok[i] = value(h.counts[n-1+int64(i)])
	}
	if !ok[1] && !ok[2] {
		return 0, false
	}
	for _, fill := range [][2]int{{1, 2}, {2, 1}, {0, 1}, {3, 2}} {
		if to, from := fill[0], fill[1]; !ok[to] {
			v[to], ok[to] = v[from], true
		}
	}
	between := func(a, b float64) float64 { return a + (b-a)*part }
	return min(between(v[0], v[1]), v[1], v[2], between(v[2], v[3])), true
}

// quietest gives the least of all hours but those of the last day, of which
// some may be those of a stop; not known where a day is not, and where hours
// differ so much that some are of rest.
func (h *Hours) quietest(at time.Time, value Measure) (float64, bool) {
	var all []float64
	for n, c := range h.counts {
		if v, ok := value(c); ok && n <= hourOf(at)-hoursOfDay {
			all = append(all, v)
		}
	}
	if len(all) < hoursOfDay {
		return 0, false
	}
	if least := slices.Min(all); least*restless >= slices.Max(all) {
		return least, true
	}
	return 0, false
}

// Rehearse fills the weeks before now with hours like c: for a demonstration
// that cannot wait for them.
func (h *Hours) Rehearse(now time.Time, c Hour) {
	h.counts = map[int64]Hour{}
	for n := hourOf(now) - hoursKept; n <= hourOf(now); n++ {
		h.counts[n] = c
	}
}

// MarshalJSON writes the hours as {"<hours since 1970>": [asked, moved]}.
func (h Hours) MarshalJSON() ([]byte, error) {
	out := make(map[string][2]int, len(h.counts))
	for n, c := range h.counts {
		out[strconv.FormatInt(n, 10)] = [2]int{c.Asked, c.Moved}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Hours) UnmarshalJSON(data []byte) error {
	var in map[int64][2]int
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	h.counts = make(map[int64]Hour, len(in))
	for n, c := range in {
		h.counts[n] = Hour{c[0], c[1]}
	}
	return nil
}
