package sync

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/sync/plan"
)

// Found is what is known of one mailbox.
type Found struct {
	Target  string
	Name    string // by the label mode; empty in mode none
	Watched bool   // so it is also asked in every run
	Mailbox plan.Mailbox
}

// ErrNoMailbox is the error of a lookup that finds nothing.
var ErrNoMailbox = errors.New("no such mailbox in the fleet")

// Lookup returns a mailbox of a target, by its address or by the hash that labels
// show, from the records in the Store. Its error is ErrNoMailbox.
func Lookup(t config.Target, fleet check.Fleet, memory check.Memory, now time.Time, query string) (Found, error) {
	query = strings.ToLower(strings.TrimSpace(query))
	n := check.MailboxNames{Mode: t.Sync.MailboxLabel}
	if n.Mode == config.LabelHash {
		n = check.NewMailboxNames(n.Mode, memory)
	}
	out, err := Found{}, ErrNoMailbox
	fleet.Each(func(key string, record []byte) {
		if err == nil || query == "" || key != query && (n.Mode != config.LabelHash || n.Of(key) != query) {
			return
		}
		m, unread := plan.Read(now, key, record, plan.Settings{StaleAfter: staleAfterOf(t.Sync, key), AskEvery: t.Sync.AskEvery})
		if unread == nil {
			watched := slices.ContainsFunc(t.Sync.Watch, func(w config.Watch) bool { return strings.EqualFold(w.Mailbox, key) })
			out, err = Found{Target: t.Name, Name: n.Of(key), Watched: watched, Mailbox: m}, nil
		}
	})
	return out, err
}

// staleAfterOf returns a mailbox's stale_after: its own where it is watched.
func staleAfterOf(s config.Sync, key string) time.Duration {
	for _, w := range s.Watch {
		if strings.EqualFold(w.Mailbox, key) {
			return w.StaleAfter
		}
	}
	return s.StaleAfter
}
