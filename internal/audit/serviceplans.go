package audit

import (
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/graph"
)

// need is one right of the guide's section on EMS licensing, with the service
// plans of which one gives it.
type need struct {
	name  string
	plans []string
}

// needs lists the rights that a user of Outlook for iOS and Android needs. The
// guide's sentence («Intune + P1 or P2 or P1 or P2») is ambiguous: both are wanted.
// The ids are those of «Product names and service plan identifiers for licensing»
// (learn.microsoft.com/entra/identity/users/licensing-service-plan-reference), as
// several public repositories quote them on 29 November 2026. INTUNE_O365 (Basic Mobility
// and Security, 882e1d05-acd1-4ccb-8708-6ee03664b117) is not Intune: the guide
// rules it out.
var needs = []need{
	{"Intune", []string{"c1ec4a95-1f05-45b3-a911-aa3fa01094f5", "da24caf9-af8e-485c-b7c8-e73336da2693"}},            // INTUNE_A, INTUNE_EDU
	{"Entra ID P1 or P2", []string{"41781fb2-bc02-4b7c-bd55-b576c07bb09d", "eec0eb4f-6444-4f95-aba0-50c24d67f998"}}, // AAD_PREMIUM, AAD_PREMIUM_P2
}

// lackedRights returns the needs that no service plan meets. A plan counts while it is
// active, or becomes so without an administrator.
func lackedRights(plans []graph.Plan) []string {
	var lack []string
	for _, n := range needs {
		met := slices.ContainsFunc(plans, func(p graph.Plan) bool {
			return slices.Contains(n.plans, strings.ToLower(p.ID)) && containsFold([]string{"Success", "PendingActivation", "PendingInput"}, p.Status)
		})
		if !met {
			lack = append(lack, n.name)
		}
	}
	return lack
}
