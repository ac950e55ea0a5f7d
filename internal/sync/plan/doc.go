// Package plan decides which mailbox of a fleet is asked next, and when.
//
// Nothing returns the times of many mailboxes at once: one cmdlet call shows one
// mailbox and takes the tenant most of a second. But a mailbox that was seen
// synchronised at L cannot be stale before L + stale_after, so it need not be
// asked before. The Planner keeps that moment for every mailbox and spends a
// small budget of calls where an answer can change a verdict.
//
// The Planner is changed by its methods only. Its time is an argument, and it
// does no I/O. What it promises:
//
//   - the tenant's budget is never exceeded;
//   - every mailbox comes up for its turn, however small the budget is;
//   - a mailbox whose last sync is not known is never stale;
//   - a verdict that was not renewed in time no longer counts;
//   - a restart goes on from the records of the process before.
package plan
