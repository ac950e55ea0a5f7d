package audit

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// maxAllowed bounds the lines of the firewall's list.
const maxAllowed = 200_000

// span is all addresses of one family from the first to the last.
type span struct{ first, last netip.Addr }

func spanOf(p netip.Prefix) span {
	first := p.Masked().Addr()
	bytes := first.AsSlice()
	for bit := p.Bits(); bit < 8*len(bytes); bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(bytes) // it has a family's length
	return span{first, last}
}

// space is a set of addresses: spans in order that neither overlap nor touch.
type space []span

// spaceOf unites spans.
func spaceOf(spans []span) space {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return a.first.Compare(b.first) })
	var out space
	for _, s := range spans {
		if n := len(out) - 1; n >= 0 && out[n].joins(s) {
			if s.last.Compare(out[n].last) > 0 {
				out[n].last = s.last
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// joins reports whether a span that does not begin before s overlaps or touches it.
func (s span) joins(next span) bool {
	if s.last.BitLen() != next.first.BitLen() {
		return false
	}
	end := s.last.Next()
	return !end.IsValid() || next.first.Compare(end) <= 0
}

// coverage says how much of a range a space has.
type coverage int

const (
	uncovered coverage = iota
	partly
	covered
)

// covers returns how much of the range is in the space. Spans that touch are
// one, so a range that is covered lies within a single span.
func (s space) covers(p netip.Prefix) coverage {
	want := spanOf(p)
	for _, have := range s {
		if have.first.BitLen() != want.first.BitLen() || have.last.Less(want.first) || want.last.Less(have.first) {
			continue
		}
		if have.first.Compare(want.first) <= 0 && want.last.Compare(have.last) <= 0 {
			return covered
		}
		return partly
	}
	return uncovered
}

// allowedList is the firewall's list.
type allowedList struct {
	space space
	lines int // that name addresses
	bad   []int
}

// parseAllowList reads a list: one prefix, address or first-last a line. Empty
// lines, and what follows # or ;, are ignored.
func parseAllowList(data []byte) (allowedList, error) {
	var out allowedList
	var spans []span
	n := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(string(data), "\ufeff"), "\n") {
		n++
		if at := strings.IndexAny(line, "#;"); at >= 0 {
			line = line[:at]
		}
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		s, ok := parseSpan(line)
		if !ok {
			out.bad = append(out.bad, n)
			continue
		}
		spans = append(spans, s)
		if len(spans) > maxAllowed {
			return allowedList{}, errors.New("over 200000 lines, want the list of the rule for Exchange")
		}
	}
	if len(spans) == 0 {
		return allowedList{}, errors.New("no line that names addresses, want one prefix such as 52.96.0.0/14 a line")
	}
	out.space, out.lines = spaceOf(spans), len(spans)
	return out, nil
}

// parseSpan reads 52.96.0.0/14, 52.96.0.1, or 52.96.0.0-52.99.255.255.
func parseSpan(text string) (span, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return spanOf(p), true
	}
	from, to, both := strings.Cut(text, "-")
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil || first.Zone() != "" {
		return span{}, false
	}
	last := first
	if both {
		last, err = netip.ParseAddr(strings.TrimSpace(to))
	}
	if err != nil || last.Zone() != "" || last.BitLen() != first.BitLen() || last.Less(first) {
		return span{}, false
	}
	return span{first.Unmap(), last.Unmap()}, first.Is4In6() == last.Is4In6()
}
