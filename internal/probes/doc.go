// Package probes looks at an Exchange organisation as a phone does.
//
// Outlook for iOS and Android reaches an on-premises mailbox in two steps that
// can be seen from outside (the guide's «Connection flow», steps 1 and 2).
// AutoDiscover is asked, without credentials, where the mailbox's ActiveSync
// endpoint is; that endpoint is then asked with an empty bearer token and must
// answer 401 with a challenge that sends the phone to Microsoft Entra. The
// package holds the checks that repeat both steps, the check of hmad's own way
// out, and the reasons that they may give.
//
// A check is made of two halves. The I/O half goes to an address and writes
// down what it saw (a Visit: DNS, TCP, TLS, HTTP and how they failed). The
// pure half (the functions named judge…) turns such an observation into
// findings, first match first, and says which reasons it could not look at:
// missing data is never good.
package probes
