package check

import (
	"cmp"
	"slices"
	"time"
)

// Words that stand for a reason where no Reason does.
const (
	UndecidedReason    = "undecided"            // the check's last run could not tell
	ServiceLevelReason = "service_level_missed" // too few of the check's runs were good
)

// Implication says what findings of a Def explain while they stand: Effects are
// full names of findings ("mailbox_sync.sync_stopped") and of checks that cannot
// tell ("configuration.undecided"), which need no mending of their own.
type Implication struct {
	Causes  []*Reason
	Effects []string
}

// Causes is the table of implications, transitively closed: for each effect, by
// its full name, the full names of its causes.
type Causes map[string][]string

// CausesOf returns the table that the Defs declare. A critical finding also
// explains that its own check misses the service level.
func CausesOf(defs []*Def) Causes {
	direct := Causes{}
	for _, d := range defs {
		for _, r := range d.Reasons {
			if level := d.Name + "." + ServiceLevelReason; r.Severity == Critical {
				direct[level] = append(direct[level], d.Name+"."+r.Name)
			}
		}
		for _, i := range d.Implies {
			for _, cause := range i.Causes {
				for _, effect := range i.Effects {
					direct[effect] = append(direct[effect], d.Name+"."+cause.Name)
				}
			}
		}
	}
	closed := Causes{}
	for effect := range direct {
		closed[effect] = direct.behind(effect)
	}
	return closed
}

// behind returns the causes of an effect and the causes of these.
func (c Causes) behind(effect string) []string {
	var all []string
	for next := slices.Clone(c[effect]); len(next) > 0; next = next[1:] {
		if cause := next[0]; cause != effect && !slices.Contains(all, cause) {
			all = append(all, cause)
			next = append(next, c[cause]...)
		}
	}
	slices.Sort(all)
	return all
}

// Stands is what stands of one target: a finding, a check that cannot tell, or
// a service level that may be missed.
type Stands struct {
	Check, Reason string
	Severity      Severity
	Since         time.Time
	Hold          time.Duration // how long it stands before it alerts
	Accepted      bool          // a waiver covers it
}

// Name returns the full name.
func (s Stands) Name() string { return s.Check + "." + s.Reason }

// Explain returns, for each of what stands of a target, the full name of the
// standing finding that explains it; "" where none does. A cause explains
// nothing graver than itself, nothing while a waiver accepts it or another
// finding explains it, and nothing that had stood for its hold before the cause
// began.
func (c Causes) Explain(all []Stands) map[string]string {
	candidates := map[string]Stands{}
	for _, s := range all {
		if !s.Accepted {
			candidates[s.Name()] = s
		}
	}
	roots, by := c.roots(candidates), map[string]string{}
	for _, effect := range all {
		by[effect.Name()] = c.explanation(effect, candidates, roots)
	}
	return by
}

// roots returns which candidates are themselves explained by no other.
func (c Causes) roots(candidates map[string]Stands) map[string]bool {
	roots := map[string]bool{}
	for name, s := range candidates {
		roots[name] = !slices.ContainsFunc(c[name], func(cause string) bool {
			other, stands := candidates[cause]
			return stands && other.mayExplain(s)
		})
	}
	return roots
}

// explanation picks, of the roots that explain the effect, the one that began
// first.
func (c Causes) explanation(effect Stands, candidates map[string]Stands, roots map[string]bool) string {
	var found []Stands
	for _, name := range c[effect.Name()] {
		if cause, stands := candidates[name]; stands && roots[name] && cause.mayExplain(effect) {
			found = append(found, cause)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.MinFunc(found, func(a, b Stands) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Name(), b.Name())) }).Name()
}

// mayExplain reports whether severity and time let s be the cause of effect.
func (s Stands) mayExplain(effect Stands) bool {
	if effect.Severity == Critical && s.Severity != Critical {
		return false
	}
	return !effect.Since.Add(effect.Hold).Before(s.Since)
}
