package audit

import (
	"strings"
	"time"
)

// The table of Exchange builds. Whoever brings it up to date compares it with
// https://learn.microsoft.com/exchange/new-features/build-numbers-and-release-dates
// and moves buildTableDate. It knows cumulative updates (CU) alone, because
// that is what the guide asks for; security updates change the last part of a
// build only.

// buildTableDate is the day up to which the table is known to be complete. It
// rests on Microsoft's own scripts, not on the page above: the dictionary in
// Shared/Get-ExchangeBuildVersionInformation.ps1 of
// https://github.com/microsoft/CSS-Exchange, at commit 01bad118924c, knows the
// security updates of 8 September 2026 and their second edition (Sep26SU,
// Sep26SUv2) and no CU after 2013 CU23, 2016 CU23, 2019 CU15 and SE RTM. Every
// build below is in it.
func buildTableDate() time.Time { return time.Date(2026, time.September, 8, 0, 0, 0, 0, time.UTC) }

// tableDate returns the day up to which a table of that day counts as complete for
// the target of a probe mailbox, as seen at now. Domains under .test are nobody's
// (RFC 6761, section 6.2): a mailbox there is a lab's, whose servers get no
// updates, and for a lab the table is complete on any day.
func tableDate(day time.Time, mailbox string, now time.Time) time.Time {
	if strings.HasSuffix(strings.ToLower(mailbox), ".test") {
		return now
	}
	return day
}

// product is one line of Exchange.
type product struct {
	name    string
	from    version    // the first build that counts as this product
	minimum cumulative // for hybrid Modern Authentication, by the guide
	newest  cumulative // the newest CU
	before  cumulative // the one before the newest; older ones are not supported in a hybrid
	ended   string     // the day on which support ended; empty: it has not
}

// cumulative is a cumulative update, by its first build.
type cumulative struct {
	name  string
	build version
}

// builds lists the products, oldest first. 2019 and SE share 15.2: the build
// tells them apart.
var builds = []product{
	{name: "2013", from: version{15, 0}, ended: "2023-04-11",
		minimum: cumulative{"CU19", version{15, 0, 1365, 1}}, newest: cumulative{"CU23", version{15, 0, 1497, 2}},
		before: cumulative{"CU22", version{15, 0, 1473, 3}}},
	{name: "2016", from: version{15, 1}, ended: "2025-10-14",
		minimum: cumulative{"CU8", version{15, 1, 1415, 2}}, newest: cumulative{"CU23", version{15, 1, 2507, 6}},
		before: cumulative{"CU22", version{15, 1, 2375, 7}}},
	{name: "2019", from: version{15, 2}, ended: "2025-10-14",
		minimum: cumulative{"CU1", version{15, 2, 330, 5}}, newest: cumulative{"CU15", version{15, 2, 1748, 10}},
		before: cumulative{"CU14", version{15, 2, 1544, 4}}},
	{name: "SE", from: version{15, 2, 2562},
		minimum: cumulative{"RTM", version{15, 2, 2562, 17}}, newest: cumulative{"RTM", version{15, 2, 2562, 17}},
		before: cumulative{"RTM", version{15, 2, 2562, 17}}},
}

// oldest is the first version whose products the table contains; everything
// before it (Exchange 2010, 14.x, and 2007, 8.x) cannot use OAuth.
var oldest = version{15}

// productOf returns the product of a build; nil where the table has none.
func productOf(v version) *product {
	for i := len(builds) - 1; i >= 0; i-- {
		p := &builds[i]
		if p.from[0] == v[0] && p.from[1] == v[1] && !v.before(p.from) {
			return p
		}
	}
	return nil
}
