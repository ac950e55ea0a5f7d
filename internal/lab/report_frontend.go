package lab

import (
	"net/http"
	"slices"
	"time"
)

const (
	slot        = 5 * time.Minute // in which the collector counts requests
	logsCounted = 2 * time.Hour   // how far back it reads the front ends' logs
)

// fillFrontEnd reports the leg from the cloud to Exchange: the OutlookService's
// requests that this server's front end answered, and on the first server its
// partnerships with the watched mailboxes.
func (p *premises) fillFrontEnd(r *report) {
	r.set("autodetectVisits", visitsOf(r, http.StatusOK))
	if p.online == nil {
		return
	}
	until := r.GeneratedAt
	since := until.Add(-logsCounted).Truncate(slot)
	var last *time.Time
	counts := []row{}
	for at := since; at.Before(until); at = at.Add(slot) {
		end := at.Add(slot)
		if end.After(until) {
			end = until
		}
		for status, n := range p.online.Traffic(at, end) {
			n = share(n, slices.Index(servers, r.Host))
			counts = append(counts, row{"start": at, "status": status, "count": n})
			if status == 200 && n > 0 {
				last = &end
			}
		}
	}
	r.set("frontEndRequests", row{"since": since, "until": until, "slotSeconds": int(slot.Seconds()), "lastSuccess": last, "counts": counts, "withoutHma": 0})
	if r.Host == servers[0] {
		p.fillPartnerships(r)
	}
}

// share returns a server's share of n requests; the first has what is over.
func share(n, server int) int {
	each := n / len(servers)
	if server == 0 {
		return n - each*(len(servers)-1)
	}
	return each
}

func (p *premises) fillPartnerships(r *report) {
	var rows []row
	for i, name := range watchedNames {
		synced := p.online.PremisesSynced(i)
		rows = append(rows, row{"mailbox": name + "@" + domain, "deviceId": "0123456789ABCDEF0123456789ABCDE" + string(rune('0'+i)),
			"deviceAccessState": "Allowed", "firstSyncTime": synced.Add(-100 * day), "lastSyncAttemptTime": synced, "lastSuccessSync": synced})
	}
	r.set("partnerships", rows...)
}
