// Package metadata compares the certificates with which Microsoft Entra signs
// its tokens now with the copy of them that Exchange trusts.
//
// Microsoft changes its token-signing certificates without notice. A job on the
// Exchange servers (MSExchange AuthAdmin) copies them into Active Directory
// every eight hours by the guide, every twelve by other sources. When it does
// not, Exchange refuses the tokens that carry mail to phones, and mail goes
// stale. The package holds three checks that see it coming: evosts_metadata
// compares the two sets, metadata_refresh watches the job, and onprem_report
// watches the reports from which both are told.
//
// A certificate is known by the SHA-1 thumbprint of its DER, never by its
// place in a list, its dates or their number. How long one has been missing is
// what decides, so a ledger in the target's memory keeps when each was first
// and last seen on either side; it survives restarts, and where it begins too
// late to know, an age is an interval and the verdict may be «undecided».
//
// Fetching and reading are separate from judging: parsers and everything named
// judge… are pure functions of what was seen.
package metadata
