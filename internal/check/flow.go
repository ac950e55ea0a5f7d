package check

// Flow lists the steps of the guide's connection flow, the first at index 0: how
// Outlook for iOS and Android reaches a mailbox on premises (Microsoft, «Using
// hybrid Modern Authentication with Outlook for iOS and Android», Connection
// flow).
var Flow = []string{
	"AutoDetect asks Exchange Online and then the on-premises AutoDiscover where the mailbox is",
	"AutoDetect asks the on-premises ActiveSync endpoint with an empty bearer, and reads where to sign in",
	"the user signs in at Microsoft Entra and the app gets its tokens",
	"the app asks Exchange Online to provision the mailbox",
	"Exchange Online gets its own token for the on-premises endpoint",
	"Exchange Online creates its copy of the mailbox",
	"Exchange Online synchronises with the on-premises ActiveSync endpoint",
	"the app receives the mail",
}

// FlowTitles names the steps of Flow in two words, for pictures of the chain.
var FlowTitles = []string{
	"AutoDiscover",
	"bearer challenge",
	"sign-in",
	"provisioning",
	"service token",
	"cloud copy",
	"cloud sync",
	"mail arrives",
}
