// Package phones is a model of a fleet of phones: when did the phone of mailbox
// number i last synchronise, as seen at a moment?
//
// It is a function of a seed, so that a simulation in virtual time and a lab in
// real time show the same fleet and repeat exactly. There are phones that
// synchronise day and night and phones that are quiet on nights and weekends;
// in both fleets some are switched off for a leave, some die, and some have
// been dead for long. Beyond that some fail for days, some have never signed
// in or do so now, and of some nobody says when they synchronised.
package phones

import "time"

// Kind is how a fleet's phones live.
type Kind string

// The kinds of fleet.
const (
	DayAndNight Kind = "day and night" // every 5 to 20 minutes, at night a third of that
	OfficeHours Kind = "office hours"  // the same from Monday to Friday, from 7:00-9:30 to 16:00-19:00, else never
)

// Fleet is one seeded fleet. Its days and hours are UTC.
type Fleet struct {
	Kind Kind
	Seed uint64
	From time.Time     // phones die and take leave from here on
	Span time.Duration // and until so much later
}

// Shares of a fleet, in thousandths.
const (
	deadBefore = 50 // dead for 20 to 60 days at From
	dying      = 30 // die some time within Span
	leaving    = 60 // are off for 3 to 14 days some time within Span
	absent     = 30 // have never signed in
	arriving   = 20 // sign in some time within Span
	unsaid     = 10 // have a partnership of which no time is said
	troubled   = 20 // try for 1 to 5 days within Span and fail
)

const day = 24 * time.Hour

// hash is splitmix64 over a phone, a purpose or slot, and the seed.
func (f Fleet) hash(phone int, n uint64) uint64 {
	z := f.Seed + uint64(phone)*0x9e3779b97f4a7c15 + n*0xd1b54a32d192ed03
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// part gives a share of d, from nothing to all of it.
func part(d time.Duration, h uint64) time.Duration {
	return time.Duration(float64(d) * float64(h>>11) / (1 << 53))
}

// The purposes of a hash; slots of time are numbers far above.
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

// off gives the time in which the phone is switched off; the zero times: never.
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

// Healthy says whether the phone lives its normal life at t, and has done so
// for the time before.
func (f Fleet) Healthy(phone int, t time.Time, before time.Duration) bool {
	from, to := f.off(phone)
	return from.IsZero() || t.Before(from) || t.Add(-before).After(to)
}

// LastSync gives the phone's newest success at or before t.
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
	Success, Attempt time.Time // of its last synchronisations; zero: not said
}

// Failing says whether its newest attempt has failed.
func (s Seen) Failing() bool { return s.Attempt.After(s.Success) }

// At gives what is known of the phone at t, its oddities included.
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

// lastOn is LastSync of a phone that is never switched off. Time is cut into
// slots, in each of which there may be one success.
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

// awake says whether a phone synchronises at that moment.
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
