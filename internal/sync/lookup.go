package sync

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

// Found is what is known of one mailbox. Zero times are not known.
type Found struct {
	Target      string
	Mailbox     string // as the label mode has it; empty in mode none
	State       State
	LastSuccess time.Time // last good sync of a phone with the cloud
	LastAttempt time.Time
	Checked     time.Time // last answer
	NextAsk     time.Time // planned, if nothing more urgent comes
	Watched     bool      // and asked in every run besides
	Devices     int       // Outlook's partnerships
	StaleAfter  time.Duration
}

// ErrNoMailbox is the error of a lookup that finds nothing.
var ErrNoMailbox = errors.New("no such mailbox in the fleet")

// Lookup finds a mailbox of a target by its address or by the hash that labels
// show, in the records that the Store keeps.
func Lookup(t config.Target, fleet check.Fleet, memory check.Memory, now time.Time, query string) (Found, error) {
	query = strings.ToLower(strings.TrimSpace(query))
	n := names{mode: t.Sync.MailboxLabel}
	if n.mode == config.LabelHash {
		n = newNames(n.mode, memory)
	}
	out, err := Found{}, ErrNoMailbox
	fleet.Each(func(key string, record []byte) {
		if err == nil || query == "" || key != query && (n.mode != config.LabelHash || n.of(key) != query) {
			return
		}
		m := mailbox{key: key, staleAfter: uint32(staleAfterOf(t.Sync, key) / time.Second)}
		if m.restore(record) == nil {
			m.inTime(t.Sync.AskEvery, m.checked)
			out, err = found(t.Name, n.of(key), m, now), nil
			out.Watched = slices.ContainsFunc(t.Sync.Watch, func(w config.Watch) bool { return strings.EqualFold(w.Mailbox, key) })
		}
	})
	return out, err
}

func found(target, name string, m mailbox, now time.Time) Found {
	return Found{Target: target, Mailbox: name, State: m.at(secondsOf(now)), LastSuccess: m.synced().time(), LastAttempt: m.attempt.time(),
		Checked: m.checked.time(), NextAsk: m.due.time(), Devices: int(m.devices), StaleAfter: m.limit()}
}

// staleAfterOf gives a mailbox's stale_after: its own where it is watched.
func staleAfterOf(s config.Sync, key string) time.Duration {
	for _, w := range s.Watch {
		if strings.EqualFold(w.Mailbox, key) {
			return w.StaleAfter
		}
	}
	return s.StaleAfter
}
