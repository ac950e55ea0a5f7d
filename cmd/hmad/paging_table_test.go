//go:build e2e

package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const tableFile = "../../docs/paging-table.md"

const tableHead = `<!-- Written by the end-to-end test: go test -tags e2e ./cmd/hmad -run TestEveryFaultPagesOnce -update -->

# From fault to page

A real Prometheus and a real Alertmanager, with the rules and the config that ship, watched demos of several targets, each with a lab of its own; each fault of a lab was switched on while all ran. Every fault fired the alerts of its row and no other, was told once, as a page or a ticket, and told again when it was mended. Targets without a fault were watched for the whole time, and nothing was told of them. Faults that lead to no finding are there too: of some nothing may be told, of others that hmad cannot tell. Where the tenant throttles, ` + "`sweep_behind`" + ` may follow: hmad climbs back by minutes that no pace shortens.

The trial ran at a thirtieth, and more slowly what the machine did not keep that pace of: the demo looks every 10 seconds instead of every 5 minutes, and the durations of rules and routes are scaled alike (` + "`hmad rules --scale`" + `). The last column is the measured time, thirty times longer: that of a check that looks every 5 minutes, as all of a demo look at one pace. It depends on where in the schedule a fault begins, by up to 5 minutes. With default schedules ` + "`evosts_metadata`" + ` and ` + "`metadata_refresh`" + ` may take 10 minutes more, ` + "`tls_offload`" + ` and ` + "`configuration`" + ` 55; [alerting.md](alerting.md#how-soon-it-tells) says how long each takes at most. Alerts in parentheses fired and were inhibited.

| fault | reason | alerts that fired | told as | seconds in the trial | minutes in earnest |
|---|---|---|---|---|---|
`

// measured are the columns that differ from run to run.
var measured = regexp.MustCompile(`(?m) \d+ \| \d+ \|$`) // not those of rows of which nothing is told

// table writes a row for every trial.
func table(records []record) string {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, r := range records {
		var alerts []string
		for _, a := range slices.Sorted(slices.Values(r.fired)) {
			if !slices.Contains(r.told, a) {
				a = "(" + a + ")"
			}
			alerts = append(alerts, a)
		}
		if len(r.told) == 0 {
			fmt.Fprintf(&b, "| %s | %s | none | nothing | | |\n", r.name, r.reason)
			continue
		}
		took := r.pace.inEarnest(r.all[0].at.Sub(r.begin))
		as := map[string]string{"pager": "page", "tickets": "ticket"}[r.to]
		if r.apart {
			as = "page and ticket"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.0f | %.0f |\n", r.name, r.reason, strings.Join(alerts, ", "), as, fastest.of(took).Seconds(), took.Minutes())
	}
	return b.String()
}

// keepTable holds the table in docs to what came of the scenarios, but for the
// times, or rewrites it.
func keepTable(t *testing.T, records []record) {
	if *updateTables {
		require.NoError(t, os.WriteFile(tableFile, []byte(table(records)), 0o644))
	}
	kept, err := os.ReadFile(tableFile)
	require.NoError(t, err)
	want, have := measured.ReplaceAllString(table(records), ""), measured.ReplaceAllString(string(kept), "")
	rows := strings.Split(have, "\n")
	for i, row := range strings.Split(want, "\n") {
		if i >= len(rows) || rows[i] != row {
			t.Errorf("docs/paging-table.md is behind, first at %q: run this test with -update", row)
			return
		}
	}
	if want != have {
		t.Errorf("docs/paging-table.md has rows that nothing gives any more: run this test with -update")
	}
}
