package audit

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hmad/hmad/internal/check"
)

const (
	changeDueWithin = 30 * 24 * time.Hour
	sourceOldAfter  = 60 * 24 * time.Hour  // of a copy that nobody brings up to date by itself
	servedOldAfter  = 120 * 24 * time.Hour // of the web service's: Microsoft publishes about once a month
)

// allowed is what was seen: the firewall's list, and Microsoft's.
type allowed struct {
	now        time.Time
	list       allowedList
	extra      []netip.Prefix
	published  published
	unread     error // Microsoft's list is none of now
	ipv6       bool  // the target's names have IPv6 addresses; known where IPv6 ranges are missing
	unresolved error
}

// needed is a range that the firewall must let through.
type needed struct {
	prefix netip.Prefix
	origin string
	from   time.Time // zero: today
}

func (n needed) String() string { return n.prefix.String() + " (" + n.origin + ")" }

// needs lists what the firewall must let through, now and later. A range that is
// still to come is not needed today, although Microsoft's list may have it.
func (o allowed) needs() []needed {
	later := map[netip.Prefix]time.Time{}
	for _, a := range o.published.Added {
		if a.From.After(o.now) {
			later[a.Prefix] = a.From
		}
	}
	var all []needed
	for _, p := range o.published.Ranges {
		if _, waits := later[p]; !waits {
			all = append(all, needed{p, "Exchange Online", time.Time{}})
		}
	}
	for _, p := range autoDetectRanges() {
		all = append(all, needed{p, "AutoDetect", time.Time{}})
	}
	for _, p := range o.extra {
		all = append(all, needed{p, "allow_list.extra", time.Time{}})
	}
	for _, a := range o.published.Added {
		if from, waits := later[a.Prefix]; waits {
			all = append(all, needed{a.Prefix, "Exchange Online from " + check.Day(from), from})
			delete(later, a.Prefix)
		}
	}
	return all
}

// missing lists what the firewall's list does not cover whole.
func (o allowed) missing() []needed {
	var out []needed
	for _, n := range o.needs() {
		switch o.list.space.covers(n.prefix) {
		case partly:
			n.origin += ", in part"
			out = append(out, n)
		case uncovered:
			out = append(out, n)
		}
	}
	return out
}

// lacking are the missing ranges by when they are needed. IPv6 ones count where
// the target has IPv6; where that is not known, they are doubtful.
type lacking struct {
	now, due, later []needed
	doubtful        bool
}

func (o allowed) lacking() lacking {
	var l lacking
	for _, n := range o.missing() {
		switch {
		case n.prefix.Addr().Is6() && !o.ipv6:
			l.doubtful = l.doubtful || o.unresolved != nil
		case n.from.IsZero():
			l.now = append(l.now, n)
		case n.from.Sub(o.now) <= changeDueWithin:
			l.due = append(l.due, n)
		default:
			l.later = append(l.later, n)
		}
	}
	return l
}

func judgeAllowList(v *check.Verdict, o allowed) {
	l := o.lacking()
	o.note(v, l)
	o.judge(v, allowListIncomplete, l.now, l)
	switch {
	case !o.published.Served && o.unread == nil:
		v.NotApplicable("Microsoft's list is a copy, which has no dates of changes to come", allowListChangeDue)
	default:
		o.judge(v, allowListChangeDue, l.due, l)
	}
	o.judgeAge(v)
	if o.unread == nil && len(o.list.bad) == 0 {
		v.Sample(AllowListMissing, float64(len(l.now)))
	}
}

// judge judges the ranges that are missing at one time. Lines that cannot be read
// may be the ones that are missed; an old list of Microsoft's may show what is
// missing, and never that nothing is.
func (o allowed) judge(v *check.Verdict, r *check.Reason, missing []needed, l lacking) {
	switch {
	case len(missing) > 0 && len(o.list.bad) > 0:
		v.Undecided(check.Errorf(check.Other, "allow_list.file: line %d is no range, address or first-last (%d such lines), so what is missing is not "+
			"certain: %s", o.list.bad[0], len(o.list.bad), listed(missing)), r)
	case len(missing) > 0:
		v.Find(r, subjectsOf(missing), "the firewall's list lacks %s; by %s", listed(missing), o.published)
	case o.unread != nil:
		v.Undecided(o.unread, r)
	case l.doubtful:
		v.Undecided(o.unresolved, r)
	default:
		v.Clear(r)
	}
}

func (o allowed) judgeAge(v *check.Verdict) {
	day, limit := o.published.day(), sourceOldAfter
	if o.published.Served {
		limit = servedOldAfter
	}
	if !day.IsZero() {
		v.Sample(AllowListPublished, float64(day.Unix()))
	}
	switch {
	case !day.IsZero() && o.now.Sub(day) > limit:
		v.Find(allowListSourceOld, nil, "Microsoft's list by which is judged is of %s, over %d days old (%s)", check.Day(day), days(limit), o.published.Source)
	case o.unread != nil:
		v.Undecided(o.unread, allowListSourceOld)
	case day.IsZero():
		v.Open("the age of endpoints_file is not known: set allow_list.version_file", allowListSourceOld)
	default:
		v.Clear(allowListSourceOld)
	}
}

// String names the list for people.
func (p published) String() string {
	if p.day().IsZero() {
		return "Microsoft's list (" + p.Source + ")"
	}
	return fmt.Sprintf("Microsoft's list of %s (%s)", check.Day(p.day()), p.Source)
}

func (o allowed) note(v *check.Verdict, l lacking) {
	v.Note("%d lines of the firewall's list compared with %d ranges of %s", o.list.lines, len(o.needs()), o.published)
	if n := len(o.list.bad); n > 0 {
		v.Note("%d lines of the firewall's list are no range, address or first-last, the first is line %d", n, o.list.bad[0])
	}
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		if o.list.space.covers(netip.MustParsePrefix(all)) == covered {
			v.Note("the firewall's list has %s: every address", all)
		}
	}
	if len(l.later) > 0 {
		v.Note("needed later, and missing: %s", listed(l.later))
	}
	if o.published.Version != "" {
		v.Fact(publishedVersion, o.published.Source, o.published.Version)
	}
}

func listed(all []needed) string {
	var texts []string
	for _, n := range all {
		texts = append(texts, n.String())
	}
	return check.List(texts)
}

func subjectsOf(all []needed) []string {
	var out []string
	for _, n := range all {
		out = append(out, n.prefix.String())
	}
	return out
}
