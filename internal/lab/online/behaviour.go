package online

import "time"

// Behaviour is what is wrong with a Tenant. The zero value: nothing.
type Behaviour struct {
	// Of two fifths of the fleet, the named mailboxes not among them.
	Stale   bool // silent for 30 hours
	Failing bool // trying, and without success for three hours
	Unknown bool // no time of the last success

	Stopped bool   // no phone has synchronised from 40 minutes before this was switched on
	Named   []Fate // of the named mailboxes, in their order

	Refuse      *Refusal      // of most calls
	MissingRole string        // the cmdlet for which the application has no role
	NoConsent   bool          // every token is refused
	Revoked     bool          // tokens of before are refused; new ones must satisfy a claim
	Slow        time.Duration // every answer
	SlowFleet   time.Duration // every answer about a mailbox that is not named
	Reset       int           // every so many-th request is broken off
	Busy        bool          // every third call fails for the moment

	// Of the leg to Exchange on premises.
	PremisesRefuse bool // Exchange answers 401 to most of OutlookService's requests
	PremisesSilent bool // OutlookService has sent nothing from 40 minutes before this was switched on
	PremisesStale  bool // OutlookService has not synchronised the first mailbox for 30 hours

	ZoneLess    bool // dates say no zone
	Future      bool // the last success is a day ahead
	BadText     bool // texts are not UTF-8
	OtherRows   bool // the rows are another mailbox's
	ManyRows    bool // a million rows
	Deep        bool // a row nests without end
	ExpiredPage bool // no second page can be had
	OtherHost   bool // the next page lies at another host

	stopped time.Time // when all phones stopped; zero: they have not
	silent  time.Time // when OutlookService stopped; zero: it has not
}

// Fate is what happened to a named mailbox.
type Fate int

// The fates.
const (
	Alive          Fate = iota
	Silent              // its phone has been silent for 30 hours
	NotProvisioned      // it has no part in Exchange Online
	InCloud             // it lies in Exchange Online itself
	Undated             // its phone has no time of the last success
	Unused              // its part in Exchange Online has no phone, and nobody has logged on to it
)

// Refusal is how too many calls are refused.
type Refusal struct {
	Status     int
	RetryAfter time.Duration // of whole seconds; 0: it is not said
	Every      time.Duration // one call in so long is not refused; 0: only the first is not
	Text       string
}

// ConcurrencyText is the tenant's limit on calls at once, in words.
const ConcurrencyText = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again"
