package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/powershell"
)

// A date that cannot be read is not one that is not given: the finding says how many
// there are, and of what form.
func TestDatesThatCannotBeRead(t *testing.T) {
	const none = ""
	for name, c := range map[string]struct {
		first, attempt, success string // JSON
		reason, says            string
		note                    bool
	}{
		"not given":                  {`null`, `null`, `null`, "sync_unknown", none, false},
		"without a zone":             {`"2026-01-01T00:00:00"`, `"2026-11-29T20:45:00"`, `"2026-11-29T20:45:00"`, "sync_unknown", "9999-99-99T99:99:99", true},
		"American":                   {`null`, `null`, `"11/29/2026 8:45:00 PM"`, "sync_unknown", "99/99/9999 9:99:99 AA", true},
		"in words, which are masked": {`null`, `null`, `"jane's phone, ÄÖ"`, "sync_unknown", "AAAA'A AAAAA, AA", true},
		"a number":                   {`null`, `null`, `1795338900`, "sync_unknown", "(no text)", true},
		"one that hangs on nothing":  {`"yesterday"`, `null`, `"2026-11-23T07:59:00Z"`, none, "AAAAAAAAA", true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
				now := time.Now().Add(-time.Minute)
				r := phone(guidOf("jane@contoso.com"), now, now)
				r["FirstSyncTime"], r["LastSyncAttemptTime"] = []byte(c.first), []byte(c.attempt)
				if c.reason != none {
					r["LastSuccessSync"] = []byte(c.success)
				}
				o.rows[guidOf("jane@contoso.com")] = []powershell.Row{r}
				got, err := o.runNow()
				require.NoError(t, err)
				told := "mailboxes with a date that could not be read: 1; one such date is of the form " + c.says + ", wanted is one with a zone, such as"
				if c.reason == none {
					assert.Empty(t, reasons(got))
				} else {
					require.Equal(t, []string{c.reason}, reasons(got))
					assert.Equal(t, c.note, strings.Contains(got.Findings[0].Detail, told), got.Findings[0].Detail)
				}
				assert.Equal(t, c.note, strings.Contains(seen(got), told))
				assert.NotContains(t, seen(got), "2026-11-29")
			})
		})
	}
}

func TestADateThatIsReadAgainIsNotTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := newOffice(t, config.Sync{Watch: []config.Watch{{Mailbox: "jane@contoso.com"}}})
		r := phone(guidOf("jane@contoso.com"), time.Now(), time.Now())
		r["LastSuccessSync"] = []byte(`"2026-11-29T20:45:00"`)
		o.rows[guidOf("jane@contoso.com")] = []powershell.Row{r}
		got, err := o.runNow()
		require.NoError(t, err)
		assert.Contains(t, seen(got), "could not be read")
		delete(o.rows, guidOf("jane@contoso.com"))
		got, err = o.runNow()
		require.NoError(t, err)
		assert.NotContains(t, seen(got), "could not be read")
	})
}

func TestDatesOfTheReportsThatCannotBeRead(t *testing.T) {
	partners := func(success ...any) map[string]any {
		var rows []map[string]any
		for i, s := range success {
			rows = append(rows, map[string]any{"mailbox": []string{"jane@contoso.com", "joe@contoso.com", "hmad-probe@contoso.com"}[i], "lastSuccessSync": s})
		}
		return map[string]any{"partnerships": map[string]any{"ok": true, "data": rows}}
	}
	const local = "2026-11-23T09:59:00"
	const of3 = "the reports do not show when 1 of 3 watched mailboxes last synchronised"
	const odd = "; mailboxes with a date that could not be read: 1; one such date is of the form 9999-99-99T99:99:99, " +
		"wanted is one with a zone, such as 2026-11-22T09:15:00Z"
	for name, c := range map[string]struct {
		lay  func(*servers)
		want string // why onprem_leg_stale is open; empty: it is judged
	}{
		"of one of three": {func(w *servers) { w.report("EX01", w.now, w.every(200, 40), partners(monday, local, monday)) },
			of3 + odd},
		"of two servers, each of one": {func(w *servers) {
			w.report("EX01", w.now, w.every(200, 40), partners(monday, local, monday))
			w.report("EX02", w.now, w.every(200, 40), partners(monday, local, monday))
		}, of3 + odd},
		"another server's can be read": {func(w *servers) {
			w.report("EX01", w.now, w.every(200, 40), partners(monday, local, monday))
			w.report("EX02", w.now, w.every(200, 40), partners(monday, monday, monday))
		}, ""},
		"not given": {func(w *servers) { w.report("EX01", w.now, w.every(200, 40), partners(monday, nil, monday)) },
			of3},
	} {
		t.Run(name, func(t *testing.T) {
			w := newServers(t, config.Sync{})
			rehearseOnPrem(memory{w.store}, monday, 400)
			c.lay(w)
			r, err := w.run()
			require.NoError(t, err)
			assert.Equal(t, c.want, whyNot(r, onPremLegStale))
		})
	}
}

// A newest success that cannot be read leaves open whether the leg stands still, and
// nothing else.
func TestAnOddLastSuccessCostsItselfAlone(t *testing.T) {
	w := newServers(t, config.Sync{})
	rehearseOnPrem(memory{w.store}, monday, 400)
	w.report("EX01", "23.11.2026 10:00", w.every(200, 40), nil)
	r, err := w.run()
	require.Error(t, err)
	assert.Contains(t, whyNot(r, cloudSyncStopped), "EX01: section frontEndRequests: row 0: lastSuccess: want a date")
	assert.Empty(t, whyNot(r, cloudSyncRefused))
}

// seen returns the notes of what a run saw.
func seen(r check.Report) string { return strings.Join(r.Texts(check.Seen), "\n") }
