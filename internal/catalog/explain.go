package catalog

import (
	"slices"
	"strings"
)

// OwnAlert is an alert that no reason stands behind, in words for people.
// Reason is its label reason, which subjects show after the check's name.
type OwnAlert struct{ Name, Reason, Severity, Summary, Fix, Runbook string }

// OwnAlerts lists the alerts about hmad itself and the service level.
func OwnAlerts() []OwnAlert {
	var all []OwnAlert
	words := strings.NewReplacer("{{ $labels.check }}", "CHECK", "{{ $labels.target }}", "TARGET")
	s := scale(1)
	for _, r := range slices.Concat([]rule{s.impliedAlert()}, s.ownAlerts(), s.serviceLevel()) {
		if r.Alert != "" {
			text := r.Annotations
			all = append(all, OwnAlert{r.Alert, r.Labels["reason"], r.Labels["severity"], text["summary"], words.Replace(text["fix"]), text["runbook_url"]})
		}
	}
	return all
}

// UndecidedRunbook is the runbook of checks that cannot tell.
const UndecidedRunbook = alertsDocURL + "hmadcheckundecided"
