package lab

import (
	"encoding/json"
	"strings"
	"time"
)

const (
	// reportInterval is the collector's, as the reports say it.
	reportInterval = time.Minute
	// collectorVersion is the collector's that the lab stands in for.
	collectorVersion = "1.2.0"
)

// report is what the collector of one server reports: one JSON document, whose
// form package report documents.
type report struct {
	Schema          int                `json:"schema"`
	Collector       string             `json:"collector"`
	Host            string             `json:"host"`
	IntervalSeconds int                `json:"intervalSeconds"`
	GeneratedAt     time.Time          `json:"generatedAt"`
	DurationMs      int                `json:"durationMs"`
	Sections        map[string]section `json:"sections"`

	absent bool // the server does not report
}

// section is one part of a report.
type section struct {
	OK    bool    `json:"ok"`
	Error *string `json:"error"`
	Data  []row   `json:"data"`

	Since *time.Time `json:"since,omitempty"` // of a log: from when on it was read
}

type row map[string]any

// set replaces the rows of a section.
func (r *report) set(name string, rows ...row) {
	r.Sections[name] = section{OK: true, Data: append([]row{}, rows...)}
}

// logReach is how far back the collector reads the event log.
const logReach = 26 * time.Hour

// log replaces the rows of a section of the event log.
func (r *report) log(name string, rows ...row) {
	since := r.GeneratedAt.Add(-logReach)
	r.Sections[name] = section{OK: true, Data: append([]row{}, rows...), Since: &since}
}

// rows returns a section's rows.
func (r *report) rows(name string) []row { return r.Sections[name].Data }

// amend changes those rows of a section that have the value under the key.
func (r *report) amend(name, key string, value any, change row) {
	for _, w := range r.rows(name) {
		if w[key] == value {
			for k, v := range change {
				w[k] = v
			}
		}
	}
}

// fail makes a section one that the collector could not read.
func (r *report) fail(name, why string) { r.Sections[name] = section{Error: &why} }

// fileName is the report's in a folder.
func (r *report) fileName() string { return strings.ToLower(r.Host) + ".json" }

// text returns the report as the collector writes it.
func (r *report) text() []byte {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // our own types
	}
	return data
}

// reports returns what every server reports now, and what lies beside.
func (p *premises) reports(f Facts, c cloudSide) (all []*report, stray []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catchUp()
	for _, host := range servers {
		r := &report{Schema: 1, Collector: collectorVersion, Host: host, IntervalSeconds: int(reportInterval.Seconds()),
			GeneratedAt: p.now().UTC(), DurationMs: 8123, Sections: map[string]section{}}
		p.fill(r, f, c)
		for _, edit := range p.side.edits {
			edit(r)
		}
		all = append(all, r)
	}
	return all, p.side.stray
}

// fill reports a healthy organisation.
func (p *premises) fill(r *report, f Facts, c cloudSide) {
	p.fillAuthServers(r, f, c)
	p.fillJob(r)
	fillOrganization(r)
	fillDirectories(r, f)
	fillServer(r)
	p.fillFrontEnd(r)
}
