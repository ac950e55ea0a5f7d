package metadata

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// String returns the age in words: "8 h", "1 h to 1 d 1 h", "at least 1 h".
func (a age) String() string {
	switch {
	case a.Most == a.Least:
		return check.Span(a.Least)
	case a.Most == math.MaxInt64:
		return "at least " + check.Span(a.Least)
	default:
		return check.Span(a.Least) + " to " + check.Span(a.Most)
	}
}

// String returns the moment, or the latest of an interval: "by …".
func (s since) String() string {
	switch {
	case s.At.IsZero():
		return "unknown"
	case s.Earliest.Equal(s.At):
		return check.Moment(s.At)
	default:
		return "by " + check.Moment(s.At)
	}
}

// timeline returns a line for every certificate: when it was published, when
// it was stored, what is missing and until when that is in order.
func timeline(o observation) []string {
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
	if o.publishedErr != nil {
		add("what is published now could not be seen; below is what was seen before")
	}
	if o.heldErr != nil {
		add("the stored copy could not be seen")
		add(row, "certificate", "published", "stored", "")
		for _, r := range o.rows("", nil) {
			add(row, r[0], r[1], "unknown", "")
		}
	}
	for _, s := range o.servers {
		add("%s, stored copy by %s of %s", check.Clean(s.Name, 100), o.held.From, check.Moment(o.held.At))
		add(row, "certificate", "published", "stored", "")
		for _, r := range o.rows(s.Name, setOf(certificatesOf(s))) {
			add(row, r[0], r[1], r[2], r[3])
		}
	}
	return lines
}

// row is a line of the timeline: thumbprint, published, stored, what of it.
const row = "%-40s  %-23s  %-23s  %s"

// rows returns the cells of every certificate that is published or stored,
// oldest first.
func (o *observation) rows(server string, stored set) [][4]string {
	type entry struct {
		at    time.Time
		cells [4]string
	}
	var all []entry
	for t, s := range o.ledger.Published {
		_, held := stored[t]
		if s.Gone.IsZero() || held {
			all = append(all, entry{s.First.At, [4]string{t.String(), s.First.String(), o.storedCell(server, t, held), o.remark(server, t, held, s)}})
		}
	}
	for t := range stored {
		if o.ledger.Published[t] == nil {
			all = append(all, entry{cells: [4]string{t.String(), "not seen", o.storedCell(server, t, true), ""}})
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		if n := a.at.Compare(b.at); n != 0 {
			return n
		}
		return strings.Compare(a.cells[0], b.cells[0])
	})
	var out [][4]string
	for _, e := range all {
		out = append(out, e.cells)
	}
	return out
}

func (o *observation) storedCell(server string, t Thumbprint, stored bool) string {
	h := o.ledger.Stored[server][t]
	switch {
	case !stored:
		return "missing"
	case h == nil:
		return "yes"
	default:
		return h.First.String()
	}
}

// remark returns what the line means: until when a missing certificate is in
// order, or that a stored one is published no more.
func (o *observation) remark(server string, t Thumbprint, stored bool, s *sighting) string {
	switch {
	case stored && !s.Gone.IsZero():
		return "published no more since " + check.Moment(s.Gone)
	case stored || o.heldErr != nil:
		return ""
	}
	before := ""
	if h := o.ledger.Stored[server][t]; h != nil {
		before = "stored until " + check.Moment(h.Last) + ", "
	}
	from := o.ledger.missingSince(server, t)
	warn, page := from.At.Add(o.window), from.At.Add(o.pageAfter)
	surely, perhaps := from.at(o.asOf()).over(o.window)
	switch {
	case surely:
		return before + fmt.Sprintf("overdue since %s, critical from %s", check.Moment(warn), check.Moment(page))
	case perhaps:
		return before + fmt.Sprintf("perhaps overdue: hmad cannot tell before %s", check.Moment(warn))
	default:
		if !from.Earliest.IsZero() {
			warn, page = from.Earliest.Add(o.window), from.Earliest.Add(o.pageAfter)
		}
		return before + fmt.Sprintf("in order until %s, critical from %s", check.Moment(warn), check.Moment(page))
	}
}
