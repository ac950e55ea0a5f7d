package sync

import (
	"strings"

	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

// readDevices reads the rows of Get-MobileDeviceStatistics for one mailbox and
// gives Outlook's partnerships. Rows of which one belongs to another mailbox
// are refused altogether.
func readDevices(rows []powershell.Row, key, tenant string, asked plan.Location) ([]plan.Partnership, error) {
	var all []plan.Partnership
	var one string
	for i, r := range rows {
		owner, ok := ownerOf(r.String("Identity"))
		if !ok || !mayOwn(owner, key, tenant, asked) || i > 0 && !strings.EqualFold(owner, one) {
			return nil, errForeign
		}
		one = owner
		if kind := r.String("ClientType"); !strings.EqualFold(kind, "Outlook") && !strings.EqualFold(kind, "REST") {
			continue
		}
		var d plan.Partnership
		d.First, _ = r.Time("FirstSyncTime")
		d.Attempt, _ = r.Time("LastSyncAttemptTime")
		d.Success, _ = r.Time("LastSuccessSync")
		all = append(all, d)
	}
	return all, nil
}

// ownerOf reads a device's Identity, OWNER\ExchangeActiveSyncDevices\DEVICE, in
// the directory with slashes.
func ownerOf(identity string) (string, bool) {
	const folder = "exchangeactivesyncdevices"
	for i := 2; i+len(folder) <= len(identity); i++ {
		if (identity[i-1] == '\\' || identity[i-1] == '/') && strings.EqualFold(identity[i:i+len(folder)], folder) {
			return identity[:i-1], true
		}
	}
	return "", false
}

// mayOwn says whether an owner can be the mailbox that was asked for: its GUID
// or that of the tenant, its address, or a name, of which nothing can be told.
func mayOwn(owner, key, tenant string, asked plan.Location) bool {
	last, named := "", false
	for part := range strings.FieldsFuncSeq(owner, func(c rune) bool { return c == '\\' || c == '/' }) {
		last, named = part, true
		if guid, ok := plan.ParseLocation(part); ok && guid != asked && !strings.EqualFold(part, tenant) {
			return false
		}
	}
	return named && (!strings.Contains(last, "@") || strings.EqualFold(last, key))
}

// leafOf gives the last part of a device's owner: the mailbox's own name.
func leafOf(owner string) string { return owner[strings.LastIndexAny(owner, `\/`)+1:] }
