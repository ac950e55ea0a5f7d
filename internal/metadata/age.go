package metadata

import (
	"math"
	"time"
)

// age is how long something has lasted: at least Least, at most Most.
type age struct{ Least, Most time.Duration }

// at returns the age at a moment; never under 0, because clocks are set back.
func (s since) at(moment time.Time) age {
	a := age{max(0, moment.Sub(s.At)), time.Duration(math.MaxInt64)}
	if !s.Earliest.IsZero() {
		a.Most = max(a.Least, moment.Sub(s.Earliest))
	}
	return a
}

// over reports whether the age has surely reached the window, and whether it
// may have.
func (a age) over(window time.Duration) (surely, perhaps bool) {
	return a.Least >= window, a.Most >= window
}
