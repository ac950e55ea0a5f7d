// Package sync watches when each mailbox last synchronised, on both legs: from
// the phone to Microsoft's cloud, which Exchange Online's cmdlets show, and
// from the cloud to Exchange on premises, which Exchange's own logs show.
//
// Package plan decides which mailbox is asked next. The sweep is the goroutine
// that asks; the two checks, MailboxSync and OnPremSync, judge the fleet by what
// is known.
//
// Mailbox addresses are personal data: they appear in labels, details and
// lookups as the config's mailbox_label says, and in no error.
package sync
