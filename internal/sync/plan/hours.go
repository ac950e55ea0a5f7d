package plan

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Hour counts the observations of one hour. For mailbox_sync, Asked are samples
// and Moved those that had just synchronised. For onprem_sync, Asked are slots of
// the reports and Moved requests that succeeded.
type Hour struct{ Asked, Moved int }

// Hours are the counts of the last four weeks, by hour. Both checks use them to
// tell a stop from a quiet hour: usual is what was seen at the same time of the
// week, because offices follow the week. The zero value is ready to use.
type Hours struct{ counts map[int64]Hour }

const (
	hoursOfDay  = 24
	hoursOfWeek = 7 * hoursOfDay
	weeksKept   = 4
	hoursKept   = weeksKept*hoursOfWeek + hoursOfDay
	restless    = 4 // a fleet that never rests: its busiest hour is at most so many times its quietest
)

// clone returns an independent copy.
func (h *Hours) clone() Hours { return Hours{maps.Clone(h.counts)} }

// Add adds to the counts of the hour in which at lies.
func (h *Hours) Add(at time.Time, asked, moved int) {
	if h.counts == nil {
		h.counts = map[int64]Hour{}
	}
	n := hourOf(at)
	c, known := h.counts[n]
	h.counts[n] = Hour{c.Asked + asked, c.Moved + moved}
	if !known { // once an hour, forget the oldest
		h.forget(n)
	}
}

// forget drops what is too old or in the future at hour n.
func (h *Hours) forget(n int64) {
	maps.DeleteFunc(h.counts, func(old int64, _ Hour) bool { return old < n-hoursKept || old > n+1 })
}

// DaysKept is a number of days such that no two days in Hours have the same
// remainder.
const DaysKept = hoursKept/hoursOfDay + 3

// Days returns the hours by the day that they are of, in days since 1970. Most
// days do not change any more.
func (h Hours) Days() map[int64]Hours {
	days := map[int64]Hours{}
	for n, c := range h.counts {
		day := n / hoursOfDay
		if days[day].counts == nil {
			days[day] = Hours{map[int64]Hour{}}
		}
		days[day].counts[n] = c
	}
	return days
}

// Join takes over the hours of another and keeps the last weeks of both.
func (h *Hours) Join(other Hours) {
	if h.counts == nil {
		h.counts = map[int64]Hour{}
	}
	maps.Copy(h.counts, other.counts)
	if len(h.counts) > 0 {
		h.forget(slices.Max(slices.Collect(maps.Keys(h.counts))))
	}
}

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// Measure returns an hour's value; false: too few observations.
type Measure func(Hour) (float64, bool)

// Usual returns what is usual at a moment, and whether that is known. It is the
// median of the same time in the last four weeks, so that neither an outage nor a
// holiday becomes the norm. Where only one week is known, its value counts unless
// most of the days since had more than twice as much: with one week, a Saturday
// and an outage look the same. In the first week no weekend is known, so only a
// fleet that never rests has a norm.
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

// before returns the known values of so many moments, each so many hours before
// the one after it.
func (h *Hours) before(at time.Time, hours, times int, value Measure) (known []float64) {
	for range times {
		at = at.Add(-time.Duration(hours) * time.Hour)
		if v, ok := h.around(at, value); ok {
			known = append(known, v)
		}
	}
	return known
}

// middle returns the median; of an even number, the greater of the middle two.
func middle(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// around returns the smallest value from an hour before a moment to an hour after
// it, because clocks are put forward and back twice a year and people follow
// them. An hour's value stands for the middle of that hour; between two middles
// it is interpolated.
func (h *Hours) around(at time.Time, value Measure) (float64, bool) {
	at = at.Add(-30 * time.Minute)
	n, part := hourOf(at), float64(at.Unix()%3600)/3600
	var v [4]float64 // of four hours; the moment lies between the middles of the second and third
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

// quietest returns the smallest value of all hours. The last day is left out,
// because its hours may be those of a stop. It is not known with less than a day
// of hours, nor where hours differ so much that the fleet must rest at times.
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

// Rehearse fills the weeks before now with hours like c, for demonstrations.
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
