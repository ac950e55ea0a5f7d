package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sectionReport(t *testing.T, name, data string) Report {
	t.Helper()
	r, err := Decode(fmt.Appendf(nil, `{"schema":1,"host":"EX01","intervalSeconds":900,"generatedAt":"2026-11-22T09:15:00Z","durationMs":1,"sections":{%q:{"ok":true,"data":%s}}}`, name, data))
	require.NoError(t, err)
	return r
}

func TestFrontEndRequests(t *testing.T) {
	r := sectionReport(t, SectionFrontEnd, `{"since":"2026-11-22T08:15:00Z","until":"/Date(1795338900000)/","slotSeconds":300,"lastSuccess":"2026-11-22T09:14:31Z",
		"counts":{"start":"2026-11-22T09:10:00Z","status":200,"count":41}}`)
	got, err := r.FrontEndRequests()
	require.NoError(t, err)
	at := func(h, m, s int) time.Time { return time.Date(2026, 11, 22, h, m, s, 0, time.UTC) }
	assert.Equal(t, FrontEndRequests{Since: at(8, 15, 0), Until: at(9, 15, 0), Slot: 5 * time.Minute, LastSuccess: at(9, 14, 31),
		Counts: []RequestCount{{at(9, 10, 0), 200, 41}}, WithoutHMA: -1}, got)

	got, err = sectionReport(t, SectionFrontEnd, `{"since":"2026-11-22T08:15:00Z","until":"2026-11-22T09:15:00Z","slotSeconds":300,"lastSuccess":null,"counts":[]}`).FrontEndRequests()
	require.NoError(t, err)
	assert.True(t, got.LastSuccess.IsZero())
	assert.Empty(t, got.Counts)

	got, err = sectionReport(t, SectionFrontEnd, `{"since":"2026-11-22T08:15:00Z","until":"2026-11-22T09:15:00Z","slotSeconds":300,"counts":[],
		"withoutHma":3,"authentication":[{"type":"Basic","count":3},{"type":"none","count":1}]}`).FrontEndRequests()
	require.NoError(t, err)
	assert.Equal(t, 3, got.WithoutHMA)
	assert.Equal(t, map[string]int{"Basic": 3, "none": 1}, got.Authentication)
}

func TestFrontEndRequestsThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"no times":            {`{"slotSeconds":300,"counts":[]}`, "since: missing"},
		"backwards":           {`{"since":"2026-11-22T09:15:00Z","until":"2026-11-22T08:15:00Z","slotSeconds":300}`, "until: want a time within two days after since"},
		"no slot":             {`{"since":"2026-11-22T08:15:00Z","until":"2026-11-22T09:15:00Z","slotSeconds":0}`, "slotSeconds: want 1 to 3600"},
		"a slot of yesterday": {`{"since":"2026-11-22T08:15:00Z","until":"2026-11-22T09:15:00Z","slotSeconds":300,"counts":[{"start":"2026-11-21T09:10:00Z","status":200,"count":1}]}`, "counts: a slot is not between since and until"},
		"no status":           {`{"since":"2026-11-22T08:15:00Z","until":"2026-11-22T09:15:00Z","slotSeconds":300,"counts":[{"start":"2026-11-22T09:10:00Z","status":7,"count":1}]}`, "counts: want a status of HTTP and a count of at least 0"},
		"no row":              {`{"since":"2026-11-22T08:15:00Z","until":"2026-11-22T09:15:00Z","slotSeconds":300,"counts":[7]}`, "counts: row 0: got a number, want an object"},
		"a row without count": {`{"since":"2026-11-22T08:15:00Z","until":"2026-11-22T09:15:00Z","slotSeconds":300,"counts":[{"start":"2026-11-22T09:10:00Z","status":200}]}`, "counts: count: got nothing, want a whole number"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sectionReport(t, SectionFrontEnd, c.data).FrontEndRequests()
			require.EqualError(t, err, "EX01: section frontEndRequests: row 0: "+c.want)
		})
	}
	_, err := sectionReport(t, "other", `{}`).FrontEndRequests()
	assert.ErrorIs(t, err, ErrMissing)
}

func TestPartnerships(t *testing.T) {
	got, err := sectionReport(t, SectionPartnerships, `{"mailbox":"jane@contoso.com","deviceId":"OutlookService1","deviceAccessState":"Allowed","firstSyncTime":null,"lastSyncAttemptTime":"2026-11-22T09:00:00Z","lastSuccessSync":"2026-11-22T08:00:00Z"}`).Partnerships()
	require.NoError(t, err)
	at := func(h int) time.Time { return time.Date(2026, 11, 22, h, 0, 0, 0, time.UTC) }
	assert.Equal(t, []CloudPartnership{{Mailbox: "jane@contoso.com", DeviceID: "OutlookService1", AccessState: "Allowed", Attempt: at(9), Success: at(8)}}, got)
	_, err = sectionReport(t, SectionPartnerships, `[{"deviceId":"x"}]`).Partnerships()
	require.EqualError(t, err, "EX01: section partnerships: row 0: mailbox: missing")
}

// Why the partnerships could not be read is Exchange's text, which may name a
// mailbox.
func TestTheErrorOfThePartnershipsIsNotShown(t *testing.T) {
	for name, want := range map[string]string{SectionPartnerships: withheld, SectionAuthServers: "no object Jane Doe"} {
		r, err := Decode([]byte(`{"schema":1,"host":"EX01","intervalSeconds":900,"generatedAt":"2026-11-22T09:15:00Z","durationMs":1,"sections":{"` +
			name + `":{"ok":false,"error":"no object Jane Doe"}}}`))
		require.NoError(t, err)
		_, err = partNamed(name).read(r)
		require.ErrorIs(t, err, ErrUnread)
		assert.EqualError(t, err, "EX01: section "+name+": the collector could not read it: "+want)
	}
}
