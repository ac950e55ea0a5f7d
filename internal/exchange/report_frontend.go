package exchange

import (
	"errors"
	"fmt"
	"time"
)

// The sections about the leg from the cloud to Exchange.
const (
	sectionFrontEnd     = "frontEndRequests"
	sectionPartnerships = "partnerships"
)

const (
	maxSlots   = 5000      // rows of one report: 24 hours of 5 minutes with 17 statuses each
	maxSlot    = time.Hour // the longest slot
	maxPartner = 2000      // partnerships of one report
)

// FrontEndRequests are the ActiveSync requests of the OutlookService, the
// cloud's own client, that one server's front end has answered. The collector
// counts them from the tail of the logs in
// <ExchangeInstallPath>\Logging\HttpProxy\Eas.
type FrontEndRequests struct {
	Since, Until time.Time     // the time that was read without a gap
	Slot         time.Duration // slots begin at whole multiples of it in UTC
	LastSuccess  time.Time     // newest request answered 2xx within that time; zero: none
	Counts       []RequestCount
}

// RequestCount counts one slot's requests of one status. A slot and status
// without a row had none.
type RequestCount struct {
	Start  time.Time
	Status int // of HTTP, 100 to 599
	Count  int
}

// FrontEndRequests reads the section
//
//	"frontEndRequests": {"since": "…", "until": "…", "slotSeconds": 300, "lastSuccess": "…"|null,
//	                     "counts": [{"start": "…", "status": 200, "count": 41}, …]}
//
// Counts outside since and until, by more than a slot, are an error.
func (r Report) FrontEndRequests() (FrontEndRequests, error) {
	return rowOf(r, sectionFrontEnd, readFrontEnd)
}

func readFrontEnd(w *row) FrontEndRequests {
	f := FrontEndRequests{Since: w.needTime("since"), Until: w.needTime("until"), LastSuccess: w.when("lastSuccess"),
		Slot: time.Duration(w.number("slotSeconds")) * time.Second}
	rows := list(w.get("counts"))
	switch {
	case w.err != nil:
		return f
	case f.Slot < time.Second || f.Slot > maxSlot:
		w.fail("slotSeconds", fmt.Errorf("want 1 to %.0f", maxSlot.Seconds()))
	case f.Until.Before(f.Since) || f.Until.Sub(f.Since) > 48*time.Hour:
		w.fail("until", errors.New("want a time within two days after since"))
	case len(rows) > maxSlots:
		w.fail("counts", fmt.Errorf("got %d, want at most %d", len(rows), maxSlots))
	}
	for _, v := range rows {
		if w.err != nil {
			break
		}
		f.Counts = append(f.Counts, f.readCount(w, v))
	}
	return f
}

func (f FrontEndRequests) readCount(w *row, v any) RequestCount {
	in, err := newRow(v)
	if err != nil {
		w.fail("counts", err)
		return RequestCount{}
	}
	c := RequestCount{Start: in.needTime("start"), Status: in.number("status"), Count: in.number("count")}
	switch {
	case in.err != nil:
		w.fail("counts", in.err)
	case c.Status < 100 || c.Status > 599 || c.Count < 0:
		w.fail("counts", errors.New("want a status of HTTP and a count of at least 0"))
	case c.Start.Before(f.Since.Add(-f.Slot)) || c.Start.After(f.Until):
		w.fail("counts", errors.New("a slot is not between since and until"))
	}
	return c
}

// CloudPartnership is the cloud's own ActiveSync partnership (DeviceType
// OutlookService) with one mailbox on premises. Zero times are not known.
type CloudPartnership struct {
	Mailbox     string // its primary address
	DeviceID    string
	AccessState string // Allowed, Blocked, Quarantined, ...
	First       time.Time
	Attempt     time.Time // last attempt to synchronise
	Success     time.Time // last good sync
}

// Partnerships reads the partnerships of the mailboxes that the collector is
// told to watch:
//
//	"partnerships": [{"mailbox": "jane@contoso.com", "deviceId": "…", "deviceAccessState": "Allowed",
//	                  "firstSyncTime": "…"|null, "lastSyncAttemptTime": "…"|null, "lastSuccessSync": "…"|null}, …]
func (r Report) Partnerships() ([]CloudPartnership, error) {
	all, err := rowsOf(r, sectionPartnerships, func(w *row) CloudPartnership {
		return CloudPartnership{Mailbox: w.need("mailbox"), DeviceID: w.text("deviceId"), AccessState: w.text("deviceAccessState"),
			First: w.when("firstSyncTime"), Attempt: w.when("lastSyncAttemptTime"), Success: w.when("lastSuccessSync")}
	})
	return all[:min(len(all), maxPartner)], err
}
