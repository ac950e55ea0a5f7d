package exporter

import (
	"net/http"
	"strings"
	"time"
)

// maxQuery bounds what is asked for, in bytes.
const maxQuery = 320

// Mailbox is what is known of one mailbox, for GET /api/v1/mailbox. Times that
// are not known are null.
type Mailbox struct {
	Target      string     `json:"target"`
	Mailbox     string     `json:"mailbox"` // as sync.mailbox_label has it
	State       string     `json:"state"`
	LastSuccess *time.Time `json:"last_success_sync"`
	LastAttempt *time.Time `json:"last_sync_attempt"`
	Checked     *time.Time `json:"checked"`
	NextAsk     *time.Time `json:"next_ask"`
	Watched     bool       `json:"watched"` // asked in every run besides
	Devices     int        `json:"devices"`
	StaleAfter  float64    `json:"stale_after_seconds"`
}

// Mailboxes is the answer to a look-up: one for each target that has it.
type Mailboxes struct {
	Version   int       `json:"version"`
	Mailboxes []Mailbox `json:"mailboxes"`
}

// mailbox answers GET /api/v1/mailbox?q=: 404 where nobody knows it, 403 where
// clients must not learn what labels hide. The query
// stands in no answer and no log.
func (s *Server) mailbox(w http.ResponseWriter, r *http.Request) {
	// Before anything is looked up: whether a mailbox is known is told to nobody.
	if s.MayLookUp != nil && !s.MayLookUp(r) {
		answer(w, http.StatusForbidden, "refused: sync.mailbox_label hides mailboxes, and a look-up would tell which is which: "+mayNotPost)
		return
	}
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	if q == "" || len(q) > maxQuery {
		answer(w, http.StatusBadRequest, "which mailbox? GET /api/v1/mailbox?q=ADDRESS or the hash that labels show")
		return
	}
	var found []Mailbox
	if s.Options.Mailbox != nil {
		found = s.Options.Mailbox(q)
	}
	if len(found) == 0 {
		answer(w, http.StatusNotFound, "no target watches this mailbox")
		return
	}
	answerJSON(w, Mailboxes{1, found})
}
