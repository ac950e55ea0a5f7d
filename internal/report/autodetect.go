package report

import (
	"fmt"
	"time"

	"github.com/hmad/hmad/internal/powershell"
)

// maxVisits bounds the rows of one report.
const maxVisits = 2000

// AutoDetectVisits are the requests of AutoDetect (its User-Agent begins with
// OutlookMobileCloudService-Autodetect) that one server's front end has answered
// for AutoDiscover. The collector counts them from the tail of the logs in
// <ExchangeInstallPath>\Logging\HttpProxy\Autodiscover.
type AutoDetectVisits struct {
	Since, Until time.Time // the time that was read without a gap
	Last         time.Time // the newest one within that time; zero: none
	Counts       []VisitCount
}

// VisitCount counts the visits of one kind and status.
type VisitCount struct {
	Method   string // GET, POST
	Document string // json, xml, or other: of autodiscover.json and autodiscover.xml
	Status   int    // of HTTP, 100 to 599
	Count    int
}

// AutoDetectVisits reads the section
//
//	"autodetectVisits": {"since": "…", "until": "…", "lastVisit": "…"|null,
//	                     "counts": [{"method": "GET", "document": "json", "status": 200, "count": 4}, …]}
func (r Report) AutoDetectVisits() (AutoDetectVisits, error) {
	return rowOf(r, SectionAutoDetect, readVisits)
}

func readVisits(w *powershell.Fields) AutoDetectVisits {
	v := AutoDetectVisits{Since: w.NeedTime("since"), Until: w.NeedTime("until"), Last: w.Time("lastVisit")}
	rows := w.Rows("counts")
	switch {
	case w.Err != nil:
		return v
	case !isWindow(v.Since, v.Until):
		w.Fail("until", errWindow)
	case len(rows) > maxVisits:
		w.Fail("counts", fmt.Errorf("got %d, want at most %d", len(rows), maxVisits))
	}
	for _, row := range rows {
		if w.Err != nil {
			break
		}
		in := powershell.Fields{Row: row}
		c := VisitCount{Method: in.Text("method"), Document: in.Text("document"), Status: in.Number("status"), Count: in.Number("count")}
		switch {
		case in.Err != nil:
			w.Fail("counts", in.Err)
		case !isCount(c.Status, c.Count):
			w.Fail("counts", errCount)
		}
		v.Counts = append(v.Counts, c)
	}
	return v
}
