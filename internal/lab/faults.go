package lab

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/near"
)

// ErrUnknownFault is in the error of Set for a name that no fault has.
var ErrUnknownFault = errors.New("unknown fault")

// Switch is one fault as its user sees it.
type Switch struct {
	// Name is CHECK.REASON after what the fault makes the check find. Another
	// way to the same finding is named VARIANT.CHECK.
	Name string `json:"name"`
	Doc  string `json:"doc"` // one sentence: what is simulated
	On   bool   `json:"on"`
}

// fault is a named change: at the host of one check, or of what the Exchange
// organisation reports (onPremises). Faults that are on at once are applied in
// the table's order; where two set the same thing, the later one wins.
type fault struct {
	where, name, doc string
	change           func(*behaviour)
}

// answering returns a fault in which somebody or something else answers.
func answering(check, name, doc string, h http.HandlerFunc) fault {
	return fault{check, name, doc, func(b *behaviour) { b.answer = h }}
}

// allFaults is the one table of faults.
func allFaults(f Facts, keys *keyring) []fault {
	return slices.Concat(
		vantageFaults(),
		transportFaults("autodiscover"), deviceFaults("autodiscover"), autodiscoverFaults(f),
		transportFaults("activesync"), deviceFaults("activesync"), activeSyncFaults(),
		transportFaults("tls_offload"), tlsOffloadFaults(),
		evostsFaults(), refreshFaults(keys), reportFaults(), configurationFaults(), tenantFaults(), acceptanceFaults(),
		allowListFaults(), placementFaults(), detectFaults(),
	)
}

// FaultNames returns the names of all faults of a lab with Exchange Online.
func FaultNames() []string {
	return namesOf(slices.Concat(allFaults(Facts{}, nil), onlineFaults(DefaultEvery)))
}

// ownSide ends the names of faults that lead to no finding: they are on hmad's
// own side of its questions to Exchange Online.
const ownSide = "exchange_online"

// checksOf lists the checks of which there are faults named CHECK.REASON, in the
// table's order.
func checksOf(faults []fault) []string {
	first := map[string]bool{}
	for _, f := range faults {
		name, _, _ := strings.Cut(f.name, ".")
		first[name] = true
	}
	var checks []string
	for _, f := range faults {
		name, rest, _ := strings.Cut(f.name, ".")
		variant := rest == ownSide || rest == f.where || first[rest]
		if !variant && !slices.Contains(checks, name) {
			checks = append(checks, name)
		}
	}
	return checks
}

// Faults lists every fault and whether it is on.
func (l *Lab) Faults() []Switch {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Switch, len(l.faults))
	for i, f := range l.faults {
		all[i] = Switch{f.name, f.doc, l.on[f.name]}
	}
	return all
}

// Set switches a fault; from the next connection on the estate behaves so.
// The error for a name that is not there is ErrUnknownFault, with the name
// that is most similar, if one is.
func (l *Lab) Set(name string, on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.ContainsFunc(l.faults, func(f fault) bool { return f.name == name }) {
		return fmt.Errorf("%w %q%s", ErrUnknownFault, name, near.Hint(name, namesOf(l.faults)))
	}
	if l.on[name] != on {
		l.opt.Log("fault %s: %s", name, map[bool]string{true: "on", false: "off"}[on])
	}
	l.on[name] = on
	return l.apply() // also when nothing changed: a host may have failed to listen again
}

// apply makes every host behave as the faults that are on have it, and the
// servers report anew.
func (l *Lab) apply() error {
	if l.closed {
		return errors.New("the lab is closed")
	}
	var errs []error
	for _, h := range l.hosts {
		errs = append(errs, h.change(l.behaviour(h.check)))
	}
	l.premises.change(l.behaviour(onPremises).premises)
	if l.online != nil {
		l.online.Behave(l.behaviour(onlineHost).online)
	}
	return errors.Join(append(errs, l.reportNow())...)
}

// behaviour is what the faults that are on there make of a healthy one.
func (l *Lab) behaviour(where string) behaviour {
	b := healthy(l.facts.Tenant)
	for _, f := range l.faults {
		if f.where == where && l.on[f.name] {
			f.change(&b)
		}
	}
	return b
}

// namesOf returns the faults' names.
func namesOf(faults []fault) []string {
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = f.name
	}
	return names
}
