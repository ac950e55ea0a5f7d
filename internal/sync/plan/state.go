package plan

import "time"

// State is what is known of a mailbox. Each mailbox is in exactly one.
type State uint8

// The states; docs/sync.md explains them.
const (
	Unchecked      State = iota // not asked yet, or its last verdict has run out
	Fresh                       // synchronised within stale_after
	Stale                       // not synchronised within stale_after
	Failing                     // its last attempt is over an hour newer than its last success
	Inactive                    // no success for 14 days
	Unknown                     // Exchange Online does not say when it last synchronised
	NotProvisioned              // no mailbox in the cloud, or no phone with Outlook
	Cloud                       // a mailbox of Exchange Online itself
	Error                       // could not be asked, or answered with another mailbox's rows
	Duplicate                   // another name of a mailbox that the fleet has
	states
)

// States returns all states.
func States() []State {
	all := make([]State, states)
	for s := range states {
		all[s] = s
	}
	return all
}

// String returns the state's name, as labels show it.
func (s State) String() string {
	names := [states]string{"unchecked", "fresh", "stale", "failing", "inactive", "unknown", "not_provisioned", "cloud", "error", "duplicate"}
	if s >= states {
		return "unchecked"
	}
	return names[s]
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// active reports whether phones synchronise with the mailbox, or should.
func (s State) active() bool { return s == Fresh || s == Stale || s == Failing }

// InactiveAfter is the time without a success after which a mailbox is Inactive.
const InactiveAfter = 14 * 24 * time.Hour

const failingAfter = time.Hour // an attempt that is newer than the success by more has failed
