// Package audit compares an Exchange organisation's settings with what the
// guide for hybrid Modern Authentication asks for.
//
// The guide's «Technical and licensing requirements» and its steps to enable
// the feature leave settings that somebody may later change without thinking
// of phones: device access rules, request limits, builds, connectors. The check
// configuration reads them again and again, from the reports that a collector
// on the Exchange servers sends (package report) and, for the tenant's cloud,
// from Microsoft's OpenID configuration.
//
// Each requirement is one row of a table (requirements.go): the reason that it
// gives when it is not met, the report's sections that it reads, what must be
// so, the command that shows it, and a pure function that judges. A row that
// cannot be judged is open: its reason is not evaluated, never taken for met, and
// the run ends with an error unless onprem_report tells of the cause.
package audit
