package exporter

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/state"
)

func TestMailboxLookup(t *testing.T) {
	synced := time.Date(2026, 11, 22, 9, 15, 0, 0, time.UTC)
	s := New(Options{Store: state.Open("", state.Options{}), Mailbox: func(q string) []Mailbox {
		if q != "jane@contoso.com" {
			return nil
		}
		return []Mailbox{{Target: "contoso", Mailbox: q, State: "fresh", LastSuccess: &synced, Devices: 1, StaleAfter: 86400}}
	}})
	hidden := New(Options{Store: state.Open("", state.Options{}), Mailbox: s.Options.Mailbox, MayLookUp: func(*http.Request) bool { return false }})
	for _, query := range []string{"jane%40contoso.com", "john%40contoso.com", ""} {
		w := httptest.NewRecorder()
		hidden.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/mailbox?q="+query, nil))
		assert.Equal(t, http.StatusForbidden, w.Code, "whether it is known is not told either")
	}
	for name, c := range map[string]struct {
		query string
		code  int
		want  string
	}{
		"one that is watched":     {"?q=jane%40contoso.com", http.StatusOK, `"last_success_sync": "2026-11-22T09:15:00Z"`},
		"times that nobody knows": {"?q=jane%40contoso.com", http.StatusOK, `"last_sync_attempt": null`},
		"one that is not":         {"?q=john%40contoso.com", http.StatusNotFound, "no target watches this mailbox"},
		"none asked for":          {"", http.StatusBadRequest, "which mailbox?"},
		"far too much":            {"?q=" + strings.Repeat("a", 1000), http.StatusBadRequest, "which mailbox?"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/mailbox"+c.query, nil))
			assert.Equal(t, c.code, w.Code)
			assert.Contains(t, w.Body.String(), c.want)
			assert.NotContains(t, w.Body.String(), "john@contoso.com", "a query that finds nothing is not shown again")
		})
	}
}
