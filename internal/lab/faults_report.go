package lab

import "time"

// reportFaults are those of the reports themselves. They concern EX03, on which
// nothing else hangs. Where reports are pushed, hmad keeps the last good one, so
// that only late reports and failed sections show.
func reportFaults() []fault {
	const check = "onprem_report."
	third := func(reason, doc string, edit func(*report)) fault {
		return reporting(check+reason, doc, func(r *report) {
			if r.Host == servers[2] {
				edit(r)
			}
		})
	}
	return []fault{
		{onPremises, check + "report_invalid", "A server has the collector of another version, whose report hmad cannot read.",
			func(b *behaviour) {
				b.premises.stray = []byte(`{"schema":2,"collector":"2.0.0","host":"EX04","sections":{}}`)
			}},
		third("report_missing", "EX03 does not report.", func(r *report) { r.absent = true }),
		third("report_clock_skew", "The clock of EX03 is five minutes ahead.", func(r *report) { r.GeneratedAt = r.GeneratedAt.Add(5 * time.Minute) }),
		third("report_late", "The collector's task on EX03 has not run for a while.", func(r *report) { r.GeneratedAt = r.GeneratedAt.Add(-5 * reportInterval) }),
		third("report_section_failed", "The collector on EX03 may not read the migration endpoints.", func(r *report) {
			r.fail("migrationEndpoints", "The operation couldn't be performed because the account has no right to Get-MigrationEndpoint.")
		}),
	}
}
