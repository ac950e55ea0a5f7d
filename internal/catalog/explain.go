package catalog

import (
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// OwnAlert is an alert that no reason stands behind, in words for people.
type OwnAlert struct{ Name, Severity, Summary, Fix, Runbook string }

// OwnAlerts lists the alerts about hmad itself and the service level.
func OwnAlerts() []OwnAlert {
	var all []OwnAlert
	words := strings.NewReplacer("{{ $labels.check }}", "CHECK", "{{ $labels.target }}", "TARGET")
	s := scale(1)
	for _, r := range append(s.ownAlerts(), s.serviceLevel()...) {
		if r.Alert != "" {
			text := r.Annotations
			all = append(all, OwnAlert{r.Alert, r.Labels["severity"], text["summary"], words.Replace(text["fix"]), text["runbook_url"]})
		}
	}
	return all
}

// UndecidedRunbook is where a check is the matter that cannot tell.
const UndecidedRunbook = alertsDocURL + "hmadcheckundecided"

// ClassDoc says what a class of error means and where to look; empty for one that
// there is not.
func ClassDoc(c check.Class) string {
	return map[check.Class]string{
		check.VantageOffline: "A request of hmad's got no way out: firewall, proxy, resolver or the network of its host. `hmad check vantage` says how far it gets.",
		check.Resolver:       "A name of Microsoft's does not resolve on hmad's host, or by the `resolver` of its config.",
		check.Token:          "Entra gives hmad no token, or Exchange Online refuses it. An AADSTS code in the error says why; the app registration needs Exchange.ManageAsApp with admin consent. `hmad doctor` tries it.",
		check.Permission:     "The app has no role with the cmdlet: its service principal needs a role group with View-Only Recipients. `hmad doctor` tries each cmdlet; docs/exchange-online.md has the steps.",
		check.Throttled:      "Exchange Online is busy or asks hmad to wait, or the budget of calls was not enough: see `exchange_online.rate` and docs/sizing.md. It passes by itself.",
		check.Metadata:       "The metadata that Microsoft publishes cannot be fetched or read: `hmad doctor` tries each document.",
		check.LDAP:           "The directory cannot be read: see `onprem.ldap` and `hmad doctor`.",
		check.ReportInput:    "No report of Exchange's says what the check needs: see the check onprem_report and docs/onprem-report.md.",
		check.State:          "hmad does not know enough yet, or cannot use something of its own: the error says what. After a first start it passes by itself.",
		check.Timeout:        "No answer came within the time of a run: a slow network, or a server that is busy.",
		check.Panic:          "A defect of hmad's: the log has the stack. Please report it.",
	}[c]
}
