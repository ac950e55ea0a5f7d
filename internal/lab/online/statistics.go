package online

import (
	"net/http"
	"time"
)

// neverUsed is what Exchange says of a mailbox to which nobody has logged on,
// instead of statistics.
const neverUsed = "The user hasn't logged on to the mailbox, so there is no data to return. After the user logs on, this warning will no longer appear."

// getStatistics answers of one part in the cloud.
func (t *Tenant) getStatistics(c call) {
	name, _ := c.text("Identity")
	if i, ok := t.find(name); ok && t.fate(i, c.b) == Unused {
		answer := c.envelope(nil)
		answer["@adminapi.warnings"] = []string{neverUsed}
		writeJSON(c.w, c.r, http.StatusOK, answer)
		return
	}
	t.one(c, "Identity", func(i int) []row {
		if c.b.OtherRows {
			i = (i + 1) % t.opt.Mailboxes
		}
		return []row{t.statisticsRow(i, c.b)}
	})
}

// statisticsRow is Get-MailboxStatistics of mailbox i: items and log-on move as
// the cloud synchronises its part with Exchange on premises.
func (t *Tenant) statisticsRow(i int, b *Behaviour) row {
	logon := t.PremisesSynced(i)
	if b.Future {
		logon = t.opt.Now().Add(day)
	}
	items := 100 + i%900 + int(logon.Unix()/int64(5*time.Minute/time.Second))%100
	r := row{"DisplayName": "Phone " + pad(i), "MailboxType": "Private", "MailboxTypeDetail": "ComponentShared", "ItemCount": items,
		"ItemCount@data.type": "System.Int32", "TotalItemSize": "1.2 GB (1,288,490,188 bytes)", "StorageLimitStatus": nil, "IsQuarantined": false}
	return r.guid("MailboxGuid", t.GUID(i)).when("LastLogonTime", logon, i, b)
}
