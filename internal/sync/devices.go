package sync

import (
	"errors"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
)

// readDevices reads the rows of Get-MobileDeviceStatistics for one mailbox and
// returns Outlook's partnerships. If any row belongs to another mailbox, all are
// refused.
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
		all = append(all, partnershipOf(r))
	}
	return all, nil
}

// partnershipOf reads the dates of a partnership. One that cannot be read is not
// one that is not given.
func partnershipOf(r powershell.Row) (d plan.Partnership) {
	for name, into := range map[string]*time.Time{"FirstSyncTime": &d.First, "LastSyncAttemptTime": &d.Attempt, "LastSuccessSync": &d.Success} {
		at, err := r.Time(name)
		*into = at
		if err != nil {
			d.Unread = max(d.Unread, formOf(err))
		}
	}
	return d
}

// formOf returns the form of a date that could not be read, as its error has it.
func formOf(err error) string {
	var date *powershell.DateError
	if errors.As(err, &date) && date.Form != "" {
		return date.Form
	}
	return "(no text)"
}

// ownerOf returns the owner in a device's Identity, which is
// OWNER\ExchangeActiveSyncDevices\DEVICE, with slashes where it comes from the
// directory.
func ownerOf(identity string) (string, bool) {
	const folder = "exchangeactivesyncdevices"
	for i := 2; i+len(folder) <= len(identity); i++ {
		if (identity[i-1] == '\\' || identity[i-1] == '/') && strings.EqualFold(identity[i:i+len(folder)], folder) {
			return identity[:i-1], true
		}
	}
	return "", false
}

// mayOwn reports whether a device's owner can be the mailbox that was asked for. A
// GUID must be that of the mailbox or of the tenant, an address the mailbox's
// own. A name proves nothing either way and is accepted.
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

// leafOf returns the last part of a device's owner: the mailbox's own name.
func leafOf(owner string) string { return owner[strings.LastIndexAny(owner, `\/`)+1:] }
