package online

import (
	"net/http"
	"time"

	"github.com/hmad/hmad/internal/phones"
)

// silence is for how long OutlookService has been silent when that begins, so
// that it is seen at once.
const silence = 40 * time.Minute

const toTraffic = 50 // a purpose of a hash; minutes follow it

// Traffic returns how many of OutlookService's ActiveSync requests Exchange on
// premises has answered between two moments, by status, as its front-end logs
// have it: each phone makes for one in four minutes while it is awake. The
// moments are cut to whole minutes, and more than a day counts as a day.
func (t *Tenant) Traffic(from, to time.Time) map[int]int {
	b := t.behaves.Load()
	if b.PremisesSilent && b.silent.Before(to) {
		to = b.silent
	}
	if to.Sub(from) > day {
		from = to.Add(-day)
	}
	counts := map[int]int{}
	for at := from.Truncate(time.Minute); at.Before(to.Truncate(time.Minute)); at = at.Add(time.Minute) {
		minute := at.Unix() / 60
		n := int(float64(t.opt.Mailboxes) / 4 * t.awake(at))
		if n > 0 {
			n += int(t.hash(int(minute), toTraffic) % uint64(n/5+1))
		}
		good := n
		if b.PremisesRefuse {
			good = n / 10
			counts[http.StatusUnauthorized] += n - good
		}
		counts[http.StatusOK] += good
	}
	return counts
}

// PremisesSynced returns when OutlookService last synchronised mailbox i with
// Exchange on premises; it does so every few minutes while it lives.
func (t *Tenant) PremisesSynced(i int) time.Time {
	b, now := t.behaves.Load(), t.opt.Now()
	switch {
	case i == 0 && b.PremisesStale:
		return now.Add(-30 * time.Hour)
	case b.PremisesSilent:
		return b.silent
	default:
		return now.Truncate(5 * time.Minute)
	}
}

// awake returns the share of phones that are awake.
func (t *Tenant) awake(at time.Time) float64 {
	at = at.UTC()
	office := at.Hour() >= 8 && at.Hour() < 17 && at.Weekday() != time.Saturday && at.Weekday() != time.Sunday
	switch {
	case t.opt.Phones.Kind == phones.OfficeHours && !office:
		return 0
	case t.opt.Phones.Kind == phones.DayAndNight && (at.Hour() < 6 || at.Hour() >= 22):
		return 1.0 / 3
	default:
		return 1
	}
}
