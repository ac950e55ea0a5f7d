package online

import (
	"strings"
	"time"
)

// row is one object with its side keys.
type row map[string]any

func (r row) guid(name, v string) row {
	r[name], r[name+"@data.type"], r[name+"@odata.type"] = v, "System.Guid", "#Guid"
	return r
}

// when writes a date with seven digits; odd mailboxes say +00:00, even ones Z.
func (r row) when(name string, v time.Time, i int, b *Behaviour) row {
	r[name] = nil
	if v.IsZero() {
		return r
	}
	form := "2006-01-02T15:04:05.0000000"
	switch {
	case b.ZoneLess:
	case i%2 == 0:
		form += "Z"
	default:
		form += "+00:00"
	}
	r[name], r[name+"@data.type"] = v.UTC().Format(form), "System.DateTime"
	return r
}

// pick leaves the selected properties, with their side keys.
func (r row) pick(selected []string) row {
	if len(selected) == 0 {
		return r
	}
	out := row{}
	for name, v := range r {
		plain, _, _ := strings.Cut(name, "@")
		for _, s := range selected {
			if strings.EqualFold(plain, s) {
				out[name] = v
			}
		}
	}
	return out
}

// locationRows is Get-MailboxLocation of mailbox i. One in twenty has an
// archive besides.
func (t *Tenant) locationRows(i int, b *Behaviour) []row {
	kind := t.location(i, b)
	if kind == nowhere {
		return nil
	}
	guid := t.GUID(i)
	if kind == primary {
		guid = t.guidOf(i, toPrimary)
	}
	rows := []row{t.locationRow(i, guid, kind)}
	if t.hash(i, toFeature)>>24%20 == 0 {
		rows = append(rows, t.locationRow(i, t.guidOf(i, toModel), "MainArchive"))
	}
	return rows
}

func (t *Tenant) locationRow(i int, guid, kind string) row {
	r := row{"Id": t.opt.ID + `\` + guid, "Identity": t.opt.ID + `\` + guid, "MailboxLocationType": kind, "OwnerId": t.Address(i),
		"DatabaseLocation": "EURPR04DG001-db001", "IsValid": true, "ObjectState": "Unchanged"}
	return r.guid("MailboxGuid", guid).guid("TenantGuid", t.opt.ID)
}

// deviceRow is a phone as Get-MobileDeviceStatistics shows it; owner is what
// stands before its name.
func (t *Tenant) deviceRow(p partnership, owner string, b *Behaviour) row {
	id := p.deviceID(t)
	idName := "DeviceId"
	if p.mailbox%7 == 0 {
		idName = "DeviceID" // both are seen
	}
	r := row{"Identity": owner + `\ExchangeActiveSyncDevices\REST§Outlook§` + id, idName: id, "ClientType": p.client, "ClientVersion": "1.0",
		"DeviceType": "Outlook", "DeviceModel": "Outlook for iOS and Android", "DeviceOS": "Outlook for iOS and Android 1.0",
		"DeviceUserAgent": "Outlook-iOS-Android/1.0", "DeviceAccessState": "Allowed", "DeviceAccessStateReason": "Global",
		"Status": "DeviceOk", "NumberOfFoldersSynced": 0, "NumberOfFoldersSynced@data.type": "System.Int32", "LastPingHeartbeat": nil,
		"LastPolicyUpdateTime": nil, "IsRemoteWipeSupported": true, "DevicePhoneNumber": "+49 ****" + pad(p.mailbox)[4:], "RecoveryPassword": "********"}
	if p.client == "EAS" {
		r["Identity"], r["DeviceType"], r["DeviceModel"] = owner+`\ExchangeActiveSyncDevices\EAS§iPhone§`+id, "iPhone", "iPhone14C5"
	}
	if b.BadText {
		r["DeviceModel"] = "Outlook \xff\xfe for \u202eiOS"
	}
	return r.guid("Guid", t.guidOf(p.mailbox, toModel+uint64(p.number))).when("FirstSyncTime", p.first, p.mailbox, b).
		when("LastSyncAttemptTime", p.attempt, p.mailbox, b).when("LastSuccessSync", p.success, p.mailbox, b)
}

// deviceRows is Get-MobileDeviceStatistics of mailbox i.
func (t *Tenant) deviceRows(i int, b *Behaviour) []row {
	owner := i
	if b.OtherRows {
		owner = (i + 1) % t.opt.Mailboxes
	}
	var rows []row
	for _, p := range t.partnerships(i, b) {
		rows = append(rows, t.deviceRow(p, t.GUID(owner), b))
	}
	return rows
}

// inventoryRows is Get-MobileDevice of mailbox i: no times, they do not lie in
// the directory.
func (t *Tenant) inventoryRows(i int, b *Behaviour) []row {
	var rows []row
	for _, p := range t.partnerships(i, b) {
		r := t.deviceRow(p, "EURPR04A001.PROD.OUTLOOK.COM/Microsoft Exchange Hosted Organizations/contoso.onmicrosoft.com/"+t.Address(i), b)
		r["UserDisplayName"], r["LastSuccessSync"], r["LastSyncAttemptTime"] = "Phone "+pad(i), nil, nil
		rows = append(rows, r)
	}
	return rows
}
