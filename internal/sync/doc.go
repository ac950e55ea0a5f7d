// Package sync tells when each mailbox last synchronised, on both legs: from
// the phone to Microsoft's cloud, which Exchange Online's cmdlets show, and
// from the cloud to Exchange on premises, which Exchange's own logs show.
//
// Nothing gives the times of many mailboxes at once: one cmdlet call shows one
// mailbox and costs the tenant most of a second. But a mailbox that was seen
// synchronised at L cannot be stale before L + stale_after, so it need not be
// asked before. The Planner keeps this moment for every mailbox and spends a
// small budget of calls where they can change a verdict; it is a pure data
// structure whose time is an argument. The sweep is the goroutine that carries
// the plan out, Judge reads a mailbox's rows, and the two checks, MailboxSync
// and OnPremSync, judge the fleet by what is known.
//
// Mailbox addresses are personal data: they appear in labels, details and
// lookups as the config's mailbox_label says, and in no error.
package sync
