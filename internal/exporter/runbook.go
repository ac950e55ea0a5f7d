package exporter

import (
	"bytes"
	"html/template"
	"net/http"

	"github.com/hmad/hmad/internal/check"
)

// runbookTemplate shows every reason's runbook on one page.
var runbookTemplate = template.Must(template.ParseFS(files, "assets/runbook.html", "assets/card.html"))

// manual is what the page /runbook shows.
type manual struct {
	Version string
	Checks  []chapter
}

type chapter struct {
	Name    string
	Entries []entry
}

// entry is one reason; Anchor is its full name, check.reason.
type entry struct {
	Anchor, Severity             string
	Summary, Fix, Verify, Mended []segment
	Causes                       [][]segment
	Owners                       []string
	Source                       []segment
	More                         string // address of the documents; empty: none
}

// runbook serves the runbook of every reason, also of those that no target has
// in force, and what there is to know of the other alerts.
func (s *Server) runbook(w http.ResponseWriter, _ *http.Request) {
	m := manual{Version: line(s.Version)}
	for _, d := range s.Defs {
		m.Checks = append(m.Checks, chapterOf(d))
	}
	own := chapter{Name: "hmad"}
	for _, a := range s.Alerts {
		own.Entries = append(own.Entries, entry{Anchor: a.Name, Severity: a.Severity, Summary: prose(a.Summary), Fix: prose(a.Fix), More: a.More})
	}
	if len(s.Alerts) > 0 {
		m.Checks = append(m.Checks, own)
	}
	var buf bytes.Buffer
	if err := runbookTemplate.Execute(&buf, m); err != nil {
		answer(w, http.StatusInternalServerError, "the runbook cannot be shown: "+line(err.Error()))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(buf.Bytes())
}

func chapterOf(d *check.Def) chapter {
	c := chapter{Name: d.Name}
	for _, r := range d.Reasons {
		e := entry{Anchor: d.Name + "." + r.Name, Severity: string(r.Severity), Summary: prose(r.Summary), Fix: prose(r.Fix)}
		if b := r.Runbook; b != nil {
			e.Verify, e.Mended, e.Source, e.Owners = prose(b.Verify), prose(b.Mended), prose(b.Source), b.Who()
			for _, cause := range b.Causes {
				e.Causes = append(e.Causes, prose(cause))
			}
		}
		c.Entries = append(c.Entries, e)
	}
	return c
}
