package sync

import (
	"encoding/json"
	"maps"
	"strconv"
	"time"
)

// Hour counts what was looked at in one hour and what of it moved: samples and
// those that had just synchronised, or requests and those that succeeded.
type Hour struct{ Asked, Moved int }

// Hours are the counts of the last eight days, by hour. Both checks use them to
// tell a stop from a quiet hour: what is usual is what the same hour a week ago
// saw, because offices keep weeks. The zero Hours is ready.
type Hours struct{ counts map[int64]Hour }

const hoursKept = 8 * 24

// Clone gives a copy that goes its own way.
func (h *Hours) Clone() Hours { return Hours{maps.Clone(h.counts)} }

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

// Usual gives what is usual at this hour, and whether that is known. Value
// measures one hour, or says that it was looked at too little. The same hour a
// week ago decides, with the hours beside it: the least of the three, because
// an hour in which people begin or end is no measure of its first and last
// minutes. While a week ago is not known, the least of the days since decides;
// then nothing is usual unless it was seen in one of today's last three hours
// too, so that the first weekend does not pass for a stop.
func (h *Hours) Usual(now time.Time, value func(Hour) (float64, bool)) (float64, bool) {
	n := hourOf(now)
	if v, ok := h.around(n-7*24, value); ok {
		return v, true
	}
	least, known := 0.0, false
	for day := int64(1); day < 7; day++ {
		if v, ok := h.around(n-24*day, value); ok && (!known || v < least) {
			least, known = v, true
		}
	}
	if !known {
		return 0, false
	}
	for back := int64(0); back <= 3; back++ {
		if v, ok := value(h.counts[n-back]); ok && v >= least/2 {
			return least, true
		}
	}
	return 0, true
}

// around gives the least of an hour and those beside it.
func (h *Hours) around(n int64, value func(Hour) (float64, bool)) (float64, bool) {
	least, ok := value(h.counts[n])
	if !ok {
		return 0, false
	}
	for _, beside := range []int64{n - 1, n + 1} {
		if v, ok := value(h.counts[beside]); ok {
			least = min(least, v)
		}
	}
	return least, true
}

// Rehearse fills the week before now with hours like c: for a demonstration
// that cannot wait for a week.
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
