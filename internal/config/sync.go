package config

import (
	"fmt"
	"strings"
	"time"
)

// The values of mailbox_label: how mailboxes are named in labels, details and
// look-ups.
const (
	LabelAddress = "address"
	LabelHash    = "hash" // keyed; the key is in hmad's state
	LabelNone    = "none" // no series per mailbox, no names in details
)

// The values of export: which mailboxes have series.
const (
	ExportAuto    = "auto" // all of up to 5,000 mailboxes, of more the notable
	ExportAll     = "all"
	ExportNotable = "notable" // the stale, failing and watched
)

// The two severities that an entry of the watch list may have.
const (
	severityCritical = "critical"
	severityWarning  = "warning"
)

const (
	maxWatched   = 100
	maxListed    = 10_000 // mailboxes in the config itself; a file takes more
	minStale     = time.Minute
	maxStale     = 13 * 24 * time.Hour // after 14 days a mailbox is inactive
	defaultStale = 24 * time.Hour
	defaultCap   = 20_000
	maxSamples   = 10 // per second
)

// Sync is which mailboxes are watched for their last sync, and how that is judged
// and shown. Mailboxes of all sources are watched; without any source and without
// a watch list there is no mailbox_sync check.
type Sync struct {
	Mailboxes []string `yaml:"mailboxes,omitempty"`
	File      string   `yaml:"file,omitempty"`      // one address a line, or CSV
	Inventory bool     `yaml:"inventory,omitempty"` // mailboxes for which the tenant knows a phone with Outlook

	StaleAfter time.Duration `yaml:"stale_after,omitempty"` // default 24h; 72h where phones are quiet at weekends
	StaleShare float64       `yaml:"stale_share,omitempty"` // percent of active mailboxes, default 25
	StaleCount int           `yaml:"stale_count,omitempty"` // and how many at least, default 10
	SampleRate float64       `yaml:"sample_rate,omitempty"` // mailboxes asked in rotation per second, to see a stop of all; default 0.1
	// AskEvery is the longest time between two calls about a mailbox, if the
	// budget allows it; default: as long as the verdict allows.
	AskEvery time.Duration `yaml:"ask_every,omitempty"`
	Watch    []Watch       `yaml:"watch,omitempty"` // asked in every run

	MailboxLabel string `yaml:"mailbox_label,omitempty"` // address, hash or none
	Export       string `yaml:"export,omitempty"`        // auto, all or notable
	MaxSeries    int    `yaml:"max_series,omitempty"`    // of all mailboxes together, default 20000
}

// Watch is a mailbox with findings of its own.
type Watch struct {
	Mailbox    string        `yaml:"mailbox"`
	StaleAfter time.Duration `yaml:"stale_after,omitempty"` // default: the fleet's
	Severity   string        `yaml:"severity,omitempty"`    // warning or critical, default warning
}

// SyncNeeds are the settings any of which makes a Sync Configured.
const SyncNeeds = "sync.mailboxes, sync.file, sync.inventory or sync.watch"

// Configured reports whether there is a mailbox to ask about.
func (s Sync) Configured() bool {
	return len(s.Mailboxes) > 0 || s.File != "" || s.Inventory || len(s.Watch) > 0
}

func (s *Sync) setDefaults() {
	setDuration(&s.StaleAfter, defaultStale)
	setDefault(&s.MailboxLabel, LabelAddress)
	setDefault(&s.Export, ExportAuto)
	if s.StaleShare == 0 {
		s.StaleShare = 25
	}
	if s.StaleCount == 0 {
		s.StaleCount = 10
	}
	if s.SampleRate == 0 {
		s.SampleRate = 0.1
	}
	if s.MaxSeries == 0 {
		s.MaxSeries = defaultCap
	}
	for i := range s.Watch {
		setDuration(&s.Watch[i].StaleAfter, s.StaleAfter)
		setDefault(&s.Watch[i].Severity, severityWarning)
	}
}

// validate validates the settings. Its errors show no addresses, which are
// personal data.
func (s Sync) validate(v validator, e ExchangeOnline) {
	v.wantStaleAfter("sync.stale_after", s.StaleAfter)
	if !(s.StaleShare > 0 && s.StaleShare <= 100) {
		v.fail("sync.stale_share", "got %g, want percent, over 0 and at most 100", s.StaleShare)
	}
	if s.StaleCount < 1 {
		v.fail("sync.stale_count", "got %d, want at least 1", s.StaleCount)
	}
	if !(s.SampleRate > 0 && s.SampleRate <= maxSamples) {
		v.fail("sync.sample_rate", "got %g, want mailboxes per second, over 0 and at most %d", s.SampleRate, maxSamples)
	}
	if s.AskEvery < 0 || s.AskEvery > 0 && s.AskEvery < time.Second {
		v.fail("sync.ask_every", "got %s, want 1s or more", s.AskEvery)
	}
	if s.MaxSeries < 0 {
		v.fail("sync.max_series", "got %d, want a number of series", s.MaxSeries)
	}
	v.want(s.MailboxLabel == LabelAddress || s.MailboxLabel == LabelHash || s.MailboxLabel == LabelNone,
		"sync.mailbox_label", s.MailboxLabel, "address, hash or none")
	v.want(s.Export == ExportAuto || s.Export == ExportAll || s.Export == ExportNotable, "sync.export", s.Export, "auto, all or notable")
	if s.Configured() && !e.Configured() {
		v.fail("sync", "mailboxes are asked in Exchange Online: want a credential under exchange_online")
	}
	s.validateMailboxes(v)
}

func (s Sync) validateMailboxes(v validator) {
	if len(s.Mailboxes) > maxListed {
		v.fail("sync.mailboxes", "got %d, want at most %d; a file takes more", len(s.Mailboxes), maxListed)
		return
	}
	for i, m := range s.Mailboxes {
		v.wantMailbox(fmt.Sprintf("sync.mailboxes[%d]", i), m)
	}
	if len(s.Watch) > maxWatched {
		v.fail("sync.watch", "got %d, want at most %d: each is asked in every run", len(s.Watch), maxWatched)
		return
	}
	seen := map[string]bool{}
	for i, w := range s.Watch {
		path := fmt.Sprintf("sync.watch[%d]", i)
		v.wantMailbox(path+".mailbox", w.Mailbox)
		if key := strings.ToLower(w.Mailbox); seen[key] {
			v.fail(path+".mailbox", "the mailbox is watched twice")
		} else {
			seen[key] = true
		}
		v.wantStaleAfter(path+".stale_after", w.StaleAfter)
		v.want(w.Severity == severityCritical || w.Severity == severityWarning, path+".severity", w.Severity, "warning or critical")
	}
}

func (v validator) wantStaleAfter(path string, d time.Duration) {
	if d < minStale || d > maxStale {
		v.fail(path, "got %s, want %s to %s", d, minStale, maxStale)
	}
}

func (v validator) wantMailbox(path, address string) {
	if !isAddress(address) || len(address) > 254 {
		v.fail(path, "want the address of a mailbox")
	}
}
