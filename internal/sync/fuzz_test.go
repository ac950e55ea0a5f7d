package sync

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/powershell"
)

const (
	fuzzTenant = "5de110f8-2e0f-4d45-891d-bcf2218e253d"
	fuzzGUID   = "0f8fad5b-d9cb-469f-a165-70867728950e"
	otherGUID  = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
)

// rowsOf reads a JSON array of rows; others are no answer.
func rowsOf(t *testing.T, text string) []powershell.Row {
	var rows []powershell.Row
	if json.Unmarshal([]byte(text), &rows) != nil {
		t.Skip()
	}
	return rows
}

// FuzzReadLocation: whatever rows arrive, a location is one that they name, and
// never another tenant's.
func FuzzReadLocation(f *testing.F) {
	for _, row := range []string{
		`{"MailboxLocationType":"ComponentShared","MailboxGuid":"` + fuzzGUID + `"}`,
		`{"MailboxLocationType":"Primary","Identity":"` + fuzzTenant + `\\` + fuzzGUID + `"}`,
		`{"MailboxLocationType":"componentshared","Id":"` + otherGUID + `/` + fuzzGUID + `"}`,
		`{"mailboxlocationtype":"MainArchive"},{"MailboxLocationType":"ComponentShared"}`,
		`null,{}`,
	} {
		f.Add("[" + row + "]")
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows := rowsOf(t, text)
		l, _, err := readLocation(rows, fuzzTenant)
		if err != nil {
			require.Zero(t, l)
		}
		if l == (Location{}) {
			return
		}
		require.LessOrEqual(t, len(rows), maxLocations)
		named := false
		for _, r := range rows {
			inTenant, _, _ := strings.Cut(strings.ReplaceAll(r.String("Identity"), "/", `\`), `\`)
			of, ok := locationOf(r, fuzzTenant)
			named = named || ok && of == l
			if _, isGUID := parseLocation(inTenant); ok && isGUID && strings.ContainsAny(r.String("Identity"), `\/`) {
				require.True(t, strings.EqualFold(inTenant, fuzzTenant), "another tenant's: %s", inTenant)
			}
		}
		require.True(t, named)
	})
}

// FuzzReadDevices: whatever rows arrive, all are of one owner, who is not known
// to be another mailbox; nothing is made of rows that are refused.
func FuzzReadDevices(f *testing.F) {
	asked, _ := parseLocation(fuzzGUID)
	for _, row := range []string{
		`{"Identity":"` + fuzzTenant + `\\` + fuzzGUID + `\\ExchangeActiveSyncDevices\\REST","ClientType":"Outlook","LastSuccessSync":"2026-11-23T10:00:00Z"}`,
		`{"Identity":"contoso/jane@contoso.com/exchangeactivesyncdevices/x","ClientType":"REST","FirstSyncTime":"\/Date(1)\/"}`,
		`{"Identity":"contoso/joe@contoso.com/ExchangeActiveSyncDevices/x"}`,
		`{"Identity":"` + otherGUID + `\\ExchangeActiveSyncDevices\\x","ClientType":"outlook"}`,
		`{"Identity":"` + strings.Repeat("Ⱥ", 40) + `\\ExchangeActiveSyncDevices\\x"}`,
		`{"Identity":"/ExchangeActiveSyncDevices"},null`,
	} {
		f.Add("[" + row + "]")
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows := rowsOf(t, text)
		for _, r := range rows {
			if key, ok := inventoried(r); ok {
				require.True(t, key != "" && len(key) <= maxKey && key == strings.ToLower(key) && !strings.ContainsAny(key, `\/`), "%q", key)
			}
		}
		all, err := readDevices(rows, "jane@contoso.com", fuzzTenant, asked)
		if err != nil {
			require.Empty(t, all)
			return
		}
		require.LessOrEqual(t, len(all), len(rows))
		for _, r := range rows {
			owner, ok := ownerOf(r.String("Identity"))
			require.True(t, ok && owner != "")
			require.True(t, strings.HasPrefix(r.String("Identity"), owner))
			require.NotContains(t, strings.ToLower(owner), otherGUID+`\`)
			if last := leafOf(owner); strings.Contains(last, "@") {
				require.True(t, strings.EqualFold(last, "jane@contoso.com"), "%q", owner)
			}
		}
	})
}

// FuzzRestore: whatever lies in the state file, a mailbox that is in a state,
// comes up for its turn and is kept as it is.
func FuzzRestore(f *testing.F) {
	m := mailbox{staleAfter: 3600, state: Fresh, success: 1e9, checked: 1e9, location: Location{1}}
	f.Add(m.record())
	m.state, m.tries, m.due = Error, 200, 1<<32-1
	f.Add(m.record())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		m := mailbox{key: "a", staleAfter: 3600}
		if m.restore(record) != nil {
			return
		}
		require.Less(t, m.state, states)
		require.Less(t, m.at(1<<31), states)
		again := mailbox{key: "a", staleAfter: 3600}
		require.NoError(t, again.restore(m.record()))
		require.Equal(t, m, again)

		p := fleet(Settings{StaleAfter: day, Budget: budget.New(1, 1)}, 0)
		p.Add(monday, "a", record)
		require.LessOrEqual(t, p.all[0].due, secondsOf(monday.Add(restMost)))
		require.NotPanics(t, func() { p.Judge(monday, Rules{Share: 0.25, Floor: 10}) })
	})
}
