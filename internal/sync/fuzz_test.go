package sync

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hmad/hmad/internal/budget"
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/sync/plan"
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
		if l == (plan.Location{}) {
			return
		}
		require.LessOrEqual(t, len(rows), maxLocations)
		named := false
		for _, r := range rows {
			inTenant, _, _ := strings.Cut(strings.ReplaceAll(r.String("Identity"), "/", `\`), `\`)
			of, ok := locationOf(r, fuzzTenant)
			named = named || ok && of == l
			if _, isGUID := plan.ParseLocation(inTenant); ok && isGUID && strings.ContainsAny(r.String("Identity"), `\/`) {
				require.True(t, strings.EqualFold(inTenant, fuzzTenant), "another tenant's: %s", inTenant)
			}
		}
		require.True(t, named)
	})
}

// FuzzReadDevices: whatever rows arrive, all are of one owner, who is not known
// to be another mailbox; nothing is made of rows that are refused.
func FuzzReadDevices(f *testing.F) {
	asked, _ := plan.ParseLocation(fuzzGUID)
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

// FuzzJudge: whatever lies in the state file, a run judges it.
func FuzzJudge(f *testing.F) {
	p, _ := settled(1)
	f.Add(p.Record("user0@contoso.com"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		p := plan.New(plan.Settings{StaleAfter: day, Budget: budget.New(1, 1)})
		p.Restore(monday, "a", record, plan.AllSources)
		judged(t, MailboxSync, func(v *check.Verdict) { Judge(v, p, monday, Rules{Share: 0.25, Floor: 10}) })
	})
}
