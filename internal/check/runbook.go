package check

// Runbook is what somebody needs who was called because of a reason, beside its
// meaning and fix. Commands stand in backticks; what to fill in stands as
// '<words>', in single quotes, so that a line of PowerShell stays one.
type Runbook struct {
	Causes []string // usual causes, the most frequent first
	Verify string   // how to verify by hand, in another way than hmad's own
	Owners []Owner  // who can mend it, the likeliest first
	Mended string   // what it looks like when it is mended
	Source string   // where this is from, and how certain it is
}

// Owner is who can mend something, in words that follow «by».
type Owner string

// Every owner there is.
const (
	OwnerNetwork  Owner = "network (DNS, firewall, load balancer)"
	OwnerExchange Owner = "Exchange"
	OwnerEntra    Owner = "Entra"
	OwnerIntune   Owner = "Intune"
	OwnerHost     Owner = "hmad's host and its config"
)

// Owners lists every owner.
var Owners = []Owner{OwnerNetwork, OwnerExchange, OwnerEntra, OwnerIntune, OwnerHost}

// Who returns the owners as a list in words.
func (r *Runbook) Who() []string {
	names := make([]string, 0, len(r.Owners))
	for _, o := range r.Owners {
		names = append(names, string(o))
	}
	return names
}
