package check

// Step is one step of the guide's connection flow: Title names it in two words,
// for pictures of the chain, and Doc says what happens.
type Step struct{ Title, Doc string }

// Flow lists the steps of the guide's connection flow, the first at index 0: how
// Outlook for iOS and Android reaches a mailbox on premises (Microsoft, «Using
// hybrid Modern Authentication with Outlook for iOS and Android», Connection
// flow).
var Flow = []Step{
	{"AutoDiscover", "AutoDetect asks Exchange Online and then the on-premises AutoDiscover where the mailbox is"},
	{"bearer challenge", "AutoDetect asks the on-premises ActiveSync endpoint with an empty bearer, and reads where to sign in"},
	{"sign-in", "the user signs in at Microsoft Entra and the app gets its tokens"},
	{"provisioning", "the app asks Exchange Online to provision the mailbox"},
	{"service token", "Exchange Online gets its own token for the on-premises endpoint"},
	{"cloud copy", "Exchange Online creates its copy of the mailbox"},
	{"cloud sync", "Exchange Online synchronises with the on-premises ActiveSync endpoint"},
	{"mail arrives", "the app receives the mail"},
}
