// Package exchange is how facts about an Exchange organisation reach hmad.
//
// There are two sources on premises. The report is one JSON envelope per
// Exchange server, made by the PowerShell collector in deploy/exchange: it is
// pushed to an Intake or laid in a folder, DecodeReport reads its envelope and
// a method per section (AuthServers, OAuthEvents, ...) its facts. The directory
// is a domain controller that ReadDirectory asks by LDAP for the auth server
// objects alone. Towards Microsoft there are NewHTTPClient, whose only way out
// is the target's, NewCredential, which gets tokens of the tenant, and NewInvoker,
// which runs reading cmdlets of Exchange Online.
//
// Everything that arrives is bounded in size and time, and texts of others are
// made one line. A secret (bearer token, password, key, access token) never
// stands in an error of this package.
package exchange
