// Package phones models a fleet of phones: it answers when the phone of mailbox
// number i last synchronised, as seen at a moment.
//
// The answers depend on a seed alone, so that a simulation in virtual time and a
// lab in real time show the same fleet, and every run is the same. One kind of
// fleet synchronises day and night, the other not at nights and weekends. In both
// some phones are switched off for a leave, some are lost during the time that is
// modelled, and some were lost long before. Some fail for days, some never sign in
// or only later, and for some no time of synchronisation is known.
package phones

import "time"

// Kind is when the phones of a fleet synchronise.
type Kind string

// The kinds of fleet.
const (
	DayAndNight Kind = "day and night" // every 5 to 20 minutes, at night a third of that
	OfficeHours Kind = "office hours"  // the same, but only from Monday to Friday, from 7:00-9:30 to 16:00-19:00
)

// Fleet is a fleet with its seed. Its days and hours are UTC.
type Fleet struct {
	Kind Kind
	Seed uint64
	From time.Time     // the time that is modelled begins; losses and leaves are in it
	Span time.Duration // and lasts so long
}

// Shares of a fleet, in thousandths.
const (
	deadBefore = 50 // lost 20 to 60 days before From
	dying      = 30 // lost some time within Span
	leaving    = 60 // off for 3 to 14 days some time within Span
	absent     = 30 // have never signed in
	arriving   = 20 // sign in for the first time within Span
	unsaid     = 10 // have a partnership without a time of synchronisation
	troubled   = 20 // fail to synchronise for 1 to 5 days within Span
)

const day = 24 * time.Hour

// hash returns splitmix64 of a phone, a purpose or slot, and the seed.
func (f Fleet) hash(phone int, n uint64) uint64 {
	z := f.Seed + uint64(phone)*0x9e3779b97f4a7c15 + n*0xd1b54a32d192ed03
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// part returns a share of d, from 0 to d, chosen by h.
func part(d time.Duration, h uint64) time.Duration {
	return time.Duration(float64(d) * float64(h>>11) / (1 << 53))
}

// The purposes of a hash. Numbers of slots are far larger.
const (
	toFate = iota
	toWhen
	toLength
	toStart
	toEnd
	toGap
	toOddity
	toBegin
	toLast
)

// off returns the time during which the phone is off; zero times: it never is.
func (f Fleet) off(phone int) (from, to time.Time) {
	fate, when := f.hash(phone, toFate)%1000, f.hash(phone, toWhen)
	never := f.From.Add(100 * 365 * day)
	switch {
	case fate < deadBefore:
		return f.From.Add(-20*day - part(40*day, when)), never
	case fate < deadBefore+dying:
		return f.From.Add(part(f.Span, when)), never
	case fate < deadBefore+dying+leaving:
		from = f.From.Add(part(f.Span, when))
		return from, from.Add(3*day + part(11*day, f.hash(phone, toLength)))
	default:
		return time.Time{}, time.Time{}
	}
}

// Healthy reports whether the phone is on at t, and has been for the time
// before.
func (f Fleet) Healthy(phone int, t time.Time, before time.Duration) bool {
	from, to := f.off(phone)
	return from.IsZero() || t.Before(from) || t.Add(-before).After(to)
}

// LastSync returns the phone's newest success at or before t.
func (f Fleet) LastSync(phone int, t time.Time) time.Time {
	if from, to := f.off(phone); !from.IsZero() && t.After(from) {
		if l := f.lastOn(phone, t); l.After(to) {
			return l
		}
		t = from
	}
	return f.lastOn(phone, t)
}

// Seen is what can be known of a phone at a moment.
type Seen struct {
	SignedIn         bool      // it has a partnership
	Success, Attempt time.Time // its last synchronisations; zero: not known
}

// Failing reports whether its newest attempt has failed.
func (s Seen) Failing() bool { return s.Attempt.After(s.Success) }

// At returns what is known of the phone at t, including what is unusual about
// some phones.
func (f Fleet) At(phone int, t time.Time) Seen {
	last := f.LastSync(phone, t)
	normal := Seen{SignedIn: true, Success: last, Attempt: last}
	odd, begin := int(f.hash(phone, toOddity)%1000), f.From.Add(part(f.Span, f.hash(phone, toBegin)))
	switch {
	case odd < absent:
		return Seen{}
	case odd < absent+arriving && last.Before(begin):
		return Seen{}
	case odd < absent+arriving:
		return normal
	case odd < absent+arriving+unsaid:
		return Seen{SignedIn: true}
	case odd < absent+arriving+unsaid+troubled && last.After(begin) && last.Before(begin.Add(day+part(4*day, f.hash(phone, toLast)))):
		return Seen{SignedIn: true, Success: f.LastSync(phone, begin), Attempt: last}
	default:
		return normal
	}
}

// lastOn is LastSync for a phone that is never off. Time is divided into slots,
// each with at most one success.
func (f Fleet) lastOn(phone int, t time.Time) time.Time {
	gap := 5*time.Minute + part(15*time.Minute, f.hash(phone, toGap))
	for slot := t.UnixNano() / int64(gap); ; slot-- {
		h := f.hash(phone, uint64(slot)<<8)
		at := time.Unix(0, slot*int64(gap)).Add(part(gap, h)).UTC()
		if !at.After(t) && h%10 < 8 && f.awake(phone, at, h) {
			return at
		}
	}
}

// awake reports whether a phone synchronises at that moment.
func (f Fleet) awake(phone int, t time.Time, h uint64) bool {
	clock := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	if f.Kind == DayAndNight {
		return clock >= 6*time.Hour && clock < 22*time.Hour || h>>8%3 == 0
	}
	if t.Weekday() == time.Saturday || t.Weekday() == time.Sunday {
		return false
	}
	start := 7*time.Hour + part(150*time.Minute, f.hash(phone, toStart))
	end := 16*time.Hour + part(3*time.Hour, f.hash(phone, toEnd))
	return clock >= start && clock < end
}
