package sync

import (
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

const maxLocations = 20 // of one mailbox

// errForeign is the error of rows that belong to another mailbox, or that do not
// show that they belong to the one that was asked for.
var errForeign = check.Errorf(check.Other, "the answer is about another mailbox")

// errCut is the error of an answer that is not complete.
var errCut = check.Errorf(check.Other, "the answer is not complete")

// readLocation reads the rows of Get-MailboxLocation for one user. A row of type
// ComponentShared is the part in the cloud of a mailbox on premises; Primary is a
// mailbox of the cloud itself. Without either, the zero Location is returned.
func readLocation(rows []powershell.Row, tenant string) (l plan.Location, cloud bool, err error) {
	if len(rows) > maxLocations {
		return l, false, errForeign // asked for a name that it does not know, Exchange may answer with every mailbox
	}
	for _, r := range rows {
		kind := strings.ToLower(r.String("MailboxLocationType"))
		if kind != "componentshared" && kind != "primary" {
			continue
		}
		guid, ok := locationOf(r, tenant)
		switch {
		case !ok:
			return plan.Location{}, false, errForeign
		case kind == "primary":
			cloud = true
		case l != (plan.Location{}) && l != guid:
			return plan.Location{}, false, errForeign
		default:
			l = guid
		}
	}
	return l, cloud, nil
}

// locationOf returns the GUID of a row: its MailboxGuid, or else that in its
// Identity, which is TenantGuid\MailboxGuid. Where both are there they must agree.
func locationOf(r powershell.Row, tenant string) (plan.Location, bool) {
	identity := r.String("Identity")
	if identity == "" {
		identity = r.String("Id")
	}
	inTenant, last := "", identity
	if i := strings.LastIndexAny(identity, `\/`); i >= 0 {
		inTenant, last = identity[:i], identity[i+1:]
	}
	if _, isGUID := plan.ParseLocation(inTenant); isGUID && !strings.EqualFold(inTenant, tenant) {
		return plan.Location{}, false
	}
	byIdentity, hasIdentity := plan.ParseLocation(last)
	byGUID, hasGUID := plan.ParseLocation(r.String("MailboxGuid"))
	switch {
	case hasGUID && hasIdentity && byGUID != byIdentity:
		return plan.Location{}, false
	case hasGUID:
		return byGUID, true
	default:
		return byIdentity, hasIdentity
	}
}
