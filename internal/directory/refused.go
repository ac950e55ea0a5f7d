package directory

import (
	"cmp"
	"regexp"
	"strings"
)

// subCode is how Active Directory tells why it refuses an account, in the text of
// LDAP result 49: "80090308: LdapErr: DSID-0C090447, comment:
// AcceptSecurityContext error, data 52e, v4563". The number is a Windows error in
// hex (MS-ERREF, section 2.2).
var subCode = regexp.MustCompile(`(?i)\bdata ([0-9a-f]{1,8})\b`)

// subCodes are the numbers in words (MS-ERREF, section 2.2; MS-ADTS, section
// 3.1.1.3.1.3).
var subCodes = map[string]string{
	"525": "there is no such account",
	"52e": "wrong name or password",
	"52f": "restrictions of the account (an empty password, its hours or its hosts) keep it out",
	"530": "the account may not sign in at this hour",
	"531": "the account may not sign in from this host",
	"532": "the account's password has expired",
	"533": "the account is disabled",
	"534": "the account lacks the right to sign in over the network",
	"568": "the account is in too many groups",
	"701": "the account itself has expired",
	"773": "the account's password must be changed first: set a new one, and clear \"User must change password at next logon\"",
	"775": "the account is locked out after wrong passwords",
}

// refusedAccount returns why LDAP result 49 came, in words. A number that is not
// known is shown; the rest of the server's text is not.
func refusedAccount(err error) string {
	var code string
	if err != nil {
		if m := subCode.FindStringSubmatch(err.Error()); m != nil {
			code = strings.TrimLeft(strings.ToLower(m[1]), "0")
		}
	}
	if code == "" {
		return "wrong name or password (LDAP result 49)"
	}
	words := cmp.Or(subCodes[code], "the account is refused for a reason that hmad does not know")
	return words + " (LDAP result 49, data " + code + ")"
}
