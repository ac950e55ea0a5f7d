package lab

import (
	"slices"
	"sync"
	"time"

	"github.com/hmad/hmad/internal/lab/online"
)

const (
	// refreshEvery is the period of Exchange's AuthAdmin job, by the guide.
	refreshEvery = 8 * time.Hour
	// retryAfter is when the job tries again after a transient error.
	retryAfter = 15 * time.Minute
	// eventsKept is how far back the collector reads events.
	eventsKept = 26 * time.Hour
)

// The events of the job that the lab's servers log (domain notes, section 6.5).
const (
	eventTransient = 2004
	eventUpdated   = 2013
	eventCompleted = 2015
)

// servers are the Exchange servers that report; the first runs the job.
var servers = []string{"EX01", "EX02", "EX03"}

// premisesSide is how the Exchange organisation acts and reports at present.
type premisesSide struct {
	jobError   int             // the event with which the job fails; 0: it works
	jobStopped bool            // the job does not run
	lastRun    time.Duration   // how long ago hmad saw the last good run, where it is made to think so
	edits      []func(*report) // changes to what a server reports
	stray      []byte          // a file next to the reports
}

// premises simulates the Exchange organisation: the stored copy of Entra's
// certificates and the job that refreshes it on its period, by the lab's clock.
type premises struct {
	now    func() time.Time
	entra  *keyring
	online *online.Tenant // whose requests the front ends log; nil: there are none

	mu      sync.Mutex
	side    premisesSide
	stored  []*signingKey
	changed time.Time // when the stored copy was last written
	next    time.Time // when the job runs next
	events  []event   // of the job, oldest first
}

// event is an entry of a server's Application log.
type event struct {
	At      time.Time
	ID      int
	Message string
}

// newPremises returns an organisation that has been well for days.
func newPremises(now func() time.Time, entra *keyring) *premises {
	p := &premises{now: now, entra: entra}
	p.stored, _ = entra.keys()
	p.changed = now().Add(-3 * day)
	p.next = now().Add(-2*time.Hour - 3*refreshEvery)
	p.catchUp()
	return p
}

// change makes the organisation act otherwise. Where that concerns the job, the
// job runs at once, as after a restart of MSExchangeServiceHost.
func (p *premises) change(side premisesSide) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catchUp()
	before := p.side
	p.side = side
	if side.jobError != before.jobError || before.jobStopped && !side.jobStopped {
		p.run(p.now())
	}
}

// catchUp runs the job as often as it was due. p.mu is held, or p not shared.
func (p *premises) catchUp() {
	now := p.now()
	for !p.next.After(now) {
		at := p.next
		p.next = at.Add(refreshEvery)
		if !p.side.jobStopped {
			p.run(at)
		}
	}
	p.events = slices.DeleteFunc(p.events, func(e event) bool { return now.Sub(e.At) > eventsKept })
}

// run is one run of the job (domain notes, section 6.4): it writes only what
// differs, and logs its end whether or not it went well.
func (p *premises) run(at time.Time) {
	p.next = at.Add(refreshEvery)
	published, _ := p.entra.keys()
	switch {
	case p.side.jobError != 0:
		p.log(at, p.side.jobError, jobErrors[p.side.jobError])
		if p.side.jobError == eventTransient {
			p.next = at.Add(retryAfter)
		}
	case !slices.Equal(published, p.stored):
		p.stored, p.changed = published, at
		p.log(at, eventUpdated, "The trusted issuer "+evoSTSName+" was updated.")
	}
	p.log(at, eventCompleted, "The AuthAdmin servicelet completed a run.")
}

func (p *premises) log(at time.Time, id int, message string) {
	p.events = append(p.events, event{at, id, message})
}

// jobErrors are the ways in which the job fails, by their events.
var jobErrors = map[int]string{
	2003:           "The AuthAdmin servicelet met a permanent exception and ended the run.",
	eventTransient: "The AuthAdmin servicelet met a transient exception: the metadata of " + evoSTSName + " could not be downloaded.",
	2006:           "The configuration of the trusted issuer " + evoSTSName + " is not valid.",
	2007:           "The issuer, realm or endpoints at the metadata URL of " + evoSTSName + " do not match.",
	2008:           "The metadata URL of " + evoSTSName + " is not valid.",
	2009:           "The metadata of " + evoSTSName + " is corrupt.",
	2010:           "The metadata of " + evoSTSName + " cannot be reached.",
	2011:           "The list of certificates in the metadata of " + evoSTSName + " is empty or too long.",
	2012:           "Certificates in the metadata of " + evoSTSName + " are not valid.",
}

// refresh is the administrator's Set-AuthServer -RefreshAuthMetadata: it writes
// the stored copy and logs nothing of the job's.
func (p *premises) refresh() {
	p.mu.Lock()
	defer p.mu.Unlock()
	published, _ := p.entra.keys()
	if !slices.Equal(published, p.stored) {
		p.stored, p.changed = published, p.now()
	}
}

// held returns the stored copy under a behaviour of Entra's: what a fault makes
// Entra publish is there too, unless Exchange gets old metadata.
func (p *premises) held(c cloudSide) []*signingKey {
	if c.cached {
		return p.stored
	}
	own, _ := p.entra.keys()
	return append(slices.Clone(p.stored), p.entra.besides(c.rolling, len(own))...)
}
