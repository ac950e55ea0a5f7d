// Package sync watches when each mailbox last synchronised, on both legs: from
// the phone to Microsoft's cloud, by Exchange Online's cmdlets, and from the cloud
// to Exchange on premises, by Exchange's own logs.
//
// Package plan decides which mailbox is asked next, and the sweep asks it. The two
// checks, MailboxSync and OnPremSync, judge the fleet by what is known.
//
// Mailbox addresses are personal data: they appear in labels, details and
// lookups as the config's mailbox_label says, and in no error.
package sync
