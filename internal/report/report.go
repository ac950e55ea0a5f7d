// Package report reads the on-premises report: one JSON envelope per Exchange
// server, made by the PowerShell collector in deploy/exchange, and received by
// package intake or laid in a folder. Decode reads the envelope, a method per
// section (AuthServers, OAuthEvents, ...) its facts.
//
// A report is bounded in size, and its texts are made one line without secrets.
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
)

// Schema is the version of the report that this hmad reads.
const Schema = 1

// MaxSize bounds a report, in bytes.
const MaxSize = 8 << 20

const (
	maxValues   = 100_000        // of one section; the collector's largest, 5,000 counts, has 15,000
	maxSections = 100            // of one report; the collector writes about 20
	maxInterval = 24 * time.Hour // between two reports of a host, as older collectors allow
)

var (
	// ErrMissing: the report has no such section.
	ErrMissing = errors.New("the section is missing")
	// ErrUnread: the section says that the collector could not read it.
	ErrUnread = errors.New("the collector could not read it")
	// ErrTruncated: the report is incomplete, as a file does that is
	// still being written.
	ErrTruncated = errors.New("the report is incomplete")
	// ErrSchema: the report has a schema that this hmad does not read.
	ErrSchema = errors.New("unknown schema")
)

// Report is what one collector run saw on one Exchange server.
type Report struct {
	Schema      int
	Collector   string        // version of the collector
	Host        string        // the Exchange server's own name
	Interval    time.Duration // between two runs of the collector
	GeneratedAt time.Time     // by the server's clock, UTC
	Took        time.Duration
	Sections    map[string]Section // by name: authServers, oauthEvents, ...

	facts map[string]facts // of sections whose data is not kept; nil: they are read from the data
	keep  map[string]facts // while they are decoded
}

// Section is one part of a report: data, or why there is none.
type Section struct {
	OK    bool
	Error string // one line without secrets, where not OK
	Data  json.RawMessage
	Since time.Time     // of a log: from when on it was read, up to the report; zero: not told
	Took  time.Duration // to read it; zero: not told
	// Errors are of the mailboxes that the section lacks, by address in lower case:
	// Exchange's failure category and code, or why it was not asked.
	Errors  map[string]string
	LeftOut int // mailboxes that were not asked, beyond the collector's limit

	over bool // it has more values than are read
}

// Decode reads a report's envelope; the sections are read by the methods
// of Report. It tolerates what PowerShell 5.1 does to JSON: a byte order mark,
// dates as /Date(ms)/, arrays of one element collapsed to the element. Errors
// are one line; ErrTruncated and ErrSchema can be told apart.
func Decode(data []byte) (Report, error) {
	data, err := utf8JSON(data)
	if err != nil {
		return Report{}, err
	}
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return Report{}, jsonError(err)
	}
	if w.Schema != Schema {
		return Report{}, fmt.Errorf("%w: got %d, want %d", ErrSchema, w.Schema, Schema)
	}
	return w.report()
}

// wire is the envelope as written.
type wire struct {
	Schema          int                        `json:"schema"`
	Collector       string                     `json:"collector"`
	Host            string                     `json:"host"`
	IntervalSeconds float64                    `json:"intervalSeconds"`
	GeneratedAt     json.RawMessage            `json:"generatedAt"`
	DurationMs      json.RawMessage            `json:"durationMs"`
	Sections        map[string]json.RawMessage `json:"sections"`
}

type wireSection struct {
	OK    *bool           `json:"ok"`
	Error string          `json:"error"`
	Data  json.RawMessage `json:"data"`
	Since json.RawMessage `json:"since"`
	// From collector 1.2.0 on:
	TookMs  json.RawMessage `json:"tookMs"`
	Errors  json.RawMessage `json:"errors"`
	LeftOut json.RawMessage `json:"leftOut"`
}

// hostForm is that of a computer name or a DNS name: letters, digits, dashes
// and underscores between dots. A report's host becomes a file name.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_-]{1,63})*$`)

// IsHost reports whether a text has the form of a host's name.
func IsHost(name string) bool { return len(name) <= 253 && hostForm.MatchString(name) }

// sectionForm is that of a section's name.
var sectionForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,63}$`)

// withheld replaces the error of a section about mailboxes where the collector is
// older than classesSince: Exchange's text may name a mailbox in any form. Later
// ones report the failure's category and code alone.
const (
	withheld     = "its error, in the report itself, may name a mailbox and is not shown"
	classesSince = "1.2.0"
)

// report checks the envelope.
func (w wire) report() (Report, error) {
	generated, err := powershell.ReadTime(w.GeneratedAt)
	switch {
	case !IsHost(w.Host):
		return Report{}, errors.New("host: want the server's name, letters, digits, dashes and dots")
	case err != nil:
		return Report{}, fmt.Errorf("generatedAt: %w", err)
	case generated.IsZero():
		return Report{}, errors.New("generatedAt: missing")
	case w.IntervalSeconds <= 0 || w.IntervalSeconds > maxInterval.Seconds():
		return Report{}, fmt.Errorf("intervalSeconds: want over 0, at most %.0f", maxInterval.Seconds())
	}
	r := Report{Schema: w.Schema, Collector: check.Line(w.Collector, 40), Host: w.Host, GeneratedAt: generated,
		Interval: time.Duration(w.IntervalSeconds * float64(time.Second)),
		Took:     millis(w.DurationMs)}
	r.Sections, err = w.sections()
	return r, err
}

func (w wire) sections() (map[string]Section, error) {
	if len(w.Sections) == 0 || len(w.Sections) > maxSections {
		return nil, fmt.Errorf("sections: got %d, want 1 to %d", len(w.Sections), maxSections)
	}
	all := make(map[string]Section, len(w.Sections))
	for name, raw := range w.Sections {
		if !sectionForm.MatchString(name) {
			return nil, errors.New("sections: want names of letters and digits")
		}
		all[name] = readSection(raw)
		if t := all[name]; name == SectionPartnerships && t.Error != "" && Older(w.Collector, classesSince) {
			t.Error = withheld
			all[name] = t
		}
	}
	return all, nil
}

// readSection reads a section, data apart. One of another form costs itself alone.
func readSection(raw json.RawMessage) Section {
	var s wireSection
	if err := json.Unmarshal(raw, &s); err != nil {
		return Section{Error: jsonError(err).Error()}
	}
	if s.OK == nil {
		return Section{Error: "ok: missing"}
	}
	return s.section()
}

// section reads a section whose ok is there. Its since, tookMs and leftOut are for
// people or are not told by every collector: unreadable ones count as not told.
func (s wireSection) section() Section {
	since, _ := powershell.ReadTime(s.Since)
	if powershell.Values(s.Data) > maxValues || powershell.Values(s.Errors) > maxValues {
		return Section{OK: *s.OK, Error: shown(s.Error), over: true}
	}
	return Section{OK: *s.OK, Error: shown(s.Error), Data: s.Data, Since: since, LeftOut: int(min(math.MaxInt32, number(s.LeftOut))),
		Errors: mailboxErrors(s.Errors), Took: millis(s.TookMs)}
}

// number reads a number of at least 0; 0 where it is none.
func number(raw json.RawMessage) float64 {
	n, err := strconv.ParseFloat(strings.Trim(string(raw), `" `), 64)
	if err != nil || math.IsNaN(n) {
		return 0
	}
	return max(0, n)
}

// millis reads a duration in milliseconds; 0 where it is none.
func millis(raw json.RawMessage) time.Duration {
	return time.Duration(min(number(raw), float64(maxInterval.Milliseconds())) * float64(time.Millisecond))
}

// section returns the data of a section, or why there is none, as an error of
// class report.
func (r Report) section(name string) (json.RawMessage, error) {
	s, ok := r.Sections[name]
	switch {
	case !ok:
		return nil, check.Errorf(check.ReportInput, "%s: section %s: %w", r.Host, name, ErrMissing)
	case !s.OK:
		return nil, check.Errorf(check.ReportInput, "%s: section %s: %w: %s", r.Host, name, ErrUnread, s.Error)
	case s.over:
		return nil, check.Errorf(check.ReportInput, "%s: section %s: over %d values, which no collector writes", r.Host, name, maxValues)
	case len(s.Data) == 0:
		return nil, check.Errorf(check.ReportInput, "%s: section %s: ok, but without data", r.Host, name)
	}
	return s.Data, nil
}

// FileName returns the name under which a report of this host is kept: one file
// for all names of a host (see SameHost).
func (r Report) FileName() string { return ShortHost(r.Host) + ".json" }

// utf8JSON strips a byte order mark and refuses what cannot be a report before
// anything is decoded.
func utf8JSON(data []byte) ([]byte, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the report is over %d bytes", MaxSize)
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, errors.New("the report is UTF-16, want UTF-8")
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrTruncated)
	case data[0] != '{':
		return nil, errors.New("the report is not a JSON object")
	case powershell.TooDeep(data):
		return nil, fmt.Errorf("the report nests deeper than %d", powershell.MaxDepth)
	}
	return data, nil
}

// jsonError returns where JSON is wrong, in one line without its values.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &syntax) && strings.Contains(err.Error(), "unexpected end"):
		return ErrTruncated
	case errors.As(err, &syntax):
		return fmt.Errorf("the report is not valid JSON: byte %d: %s", syntax.Offset, check.Line(syntax.Error(), 100))
	case errors.As(err, &typed):
		return fmt.Errorf("%s: got a JSON %s", check.Line(typed.Field, 100), strings.Fields(typed.Value + " value")[0])
	default:
		return errors.New(check.Line(err.Error(), 200))
	}
}
