package report

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hmad/hmad/internal/powershell"
)

const (
	maxSlots   = 5000      // rows of one report: 24 hours of 5 minutes with 17 statuses each
	maxSlot    = time.Hour // the longest slot
	maxPartner = 2000      // partnerships of one report

	maxAuthentications = 20 // kinds of authentication of one report
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
	// WithoutHMA is how many requests of Outlook mobile without HMA, by basic
	// authentication through the cloud, there were within that time. They are not
	// among the Counts. -1: not told.
	WithoutHMA int
	// Authentication counts Outlook mobile's requests within that time, with and
	// without HMA, by their authentication: Bearer, Basic, none, other. Nil: not told.
	Authentication map[string]int
	powershell.Unread
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
//	                     "counts": [{"start": "…", "status": 200, "count": 41}, …],
//	                     "withoutHma": 3, "authentication": [{"type": "Bearer", "count": 41}, …]|null}
//
// Counts outside since and until, by more than a slot, are an error.
func (r Report) FrontEndRequests() (FrontEndRequests, error) {
	return rowOf(r, SectionFrontEnd, readFrontEnd)
}

func readFrontEnd(w *powershell.Fields) FrontEndRequests {
	f := FrontEndRequests{Since: w.NeedTime("since"), Until: w.NeedTime("until"), LastSuccess: powershell.Alone(w, "lastSuccess", w.Row.Time),
		Slot: time.Duration(w.Number("slotSeconds")) * time.Second, WithoutHMA: -1}
	if w.Row.Has("withoutHma") {
		f.WithoutHMA = readWithoutHMA(w)
	}
	f.Authentication = readAuthentication(w)
	f.Unread = w.Unread()
	rows := w.Rows("counts")
	switch {
	case w.Err != nil:
		return f
	case f.Slot < time.Second || f.Slot > maxSlot:
		w.Fail("slotSeconds", fmt.Errorf("want 1 to %.0f", maxSlot.Seconds()))
	case !isWindow(f.Since, f.Until):
		w.Fail("until", errWindow)
	case len(rows) > maxSlots:
		w.Fail("counts", fmt.Errorf("got %d, want at most %d", len(rows), maxSlots))
	}
	for _, row := range rows {
		if w.Err != nil {
			break
		}
		f.Counts = append(f.Counts, f.readCount(w, row))
	}
	return f
}

// What the counts of a front end's log must be.
var (
	errWindow = errors.New("want a time within two days after since")
	errCount  = errors.New("want a status of HTTP and a count of at least 0")
)

// isWindow reports whether a report may cover the time between two moments.
func isWindow(since, until time.Time) bool {
	return !until.Before(since) && until.Sub(since) <= 48*time.Hour
}

// isCount reports whether requests of one status can be counted so.
func isCount(status, count int) bool { return status >= 100 && status <= 599 && count >= 0 }

// readWithoutHMA reads how many requests there were without HMA; -1 where that
// cannot be read.
func readWithoutHMA(w *powershell.Fields) int {
	n := powershell.Alone(w, "withoutHma", w.Row.Int)
	if n < 0 || n > math.MaxInt32 || w.Unread().Lacks("withoutHma") != nil {
		return -1
	}
	return int(n)
}

// readAuthentication reads the counts by authentication; nil where there are none.
func readAuthentication(w *powershell.Fields) map[string]int {
	rows := powershell.Alone(w, "authentication", w.Row.Rows)
	if len(rows) == 0 {
		return nil
	}
	counts := map[string]int{}
	for _, row := range rows[:min(len(rows), maxAuthentications)] {
		in := powershell.Fields{Row: row}
		kind, n := in.NeedName("type"), in.Number("count")
		if in.Err != nil {
			w.FailAlone("authentication", in.Err)
			return nil
		}
		counts[kind] += n
	}
	return counts
}

// readCount reads one of the counts of w.
func (f FrontEndRequests) readCount(w *powershell.Fields, row powershell.Row) RequestCount {
	in := powershell.Fields{Row: row}
	c := RequestCount{Start: in.NeedTime("start"), Status: in.Number("status"), Count: in.Number("count")}
	switch {
	case in.Err != nil:
		w.Fail("counts", in.Err)
	case !isCount(c.Status, c.Count):
		w.Fail("counts", errCount)
	case c.Start.Before(f.Since.Add(-f.Slot)) || c.Start.After(f.Until):
		w.Fail("counts", errors.New("a slot is not between since and until"))
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
	powershell.Unread
}

// Partnerships reads the partnerships of the mailboxes that the collector is
// told to watch:
//
//	"partnerships": [{"mailbox": "jane@contoso.com", "deviceId": "…", "deviceAccessState": "Allowed",
//	                  "firstSyncTime": "…"|null, "lastSyncAttemptTime": "…"|null, "lastSuccessSync": "…"|null}, …]
func (r Report) Partnerships() ([]CloudPartnership, error) {
	all, err := rowsOf(r, SectionPartnerships, func(w *powershell.Fields) CloudPartnership {
		return CloudPartnership{Mailbox: w.Need("mailbox"), DeviceID: w.Text("deviceId"), AccessState: w.Name("deviceAccessState"),
			First: powershell.Alone(w, "firstSyncTime", w.Row.Time), Attempt: powershell.Alone(w, "lastSyncAttemptTime", w.Row.Time),
			Success: powershell.Alone(w, "lastSuccessSync", w.Row.Time), Unread: w.Unread()}
	})
	return all[:min(len(all), maxPartner)], err
}
