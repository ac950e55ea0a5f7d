package directory

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-ldap/ldap/v3"
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

// results are LDAP's result codes in words, where there is something to do (RFC
// 4511, appendix A.2).
var results = map[uint16]string{
	ldap.LDAPResultOperationsError:             "the server could not do it; Active Directory says so where the account is not signed in",
	ldap.LDAPResultTimeLimitExceeded:           "its time limit cut the answer short",
	ldap.LDAPResultStrongAuthRequired:          "it wants a stronger sign-in: use ldaps://, or allow simple binds over TLS",
	ldap.LDAPResultAdminLimitExceeded:          "a limit that an administrator set cut the answer short",
	ldap.LDAPResultConfidentialityRequired:     "it wants an encrypted connection: use ldaps://",
	ldap.LDAPResultNoSuchObject:                "there is no such container, or the account may not see it: check base_dn",
	ldap.LDAPResultInvalidDNSyntax:             "it does not understand the name: check base_dn and bind_dn",
	ldap.LDAPResultInappropriateAuthentication: "it allows this account no sign-in with name and password",
	ldap.LDAPResultInsufficientAccessRights:    "the account has no right to do so",
	ldap.LDAPResultBusy:                        "it is busy",
	ldap.LDAPResultUnavailable:                 "it is not available, as while it starts or stops",
	ldap.LDAPResultUnwillingToPerform:          "it is set up not to do so",
}

// result words a result of the server: its code, what it means, and the server's own
// text.
func result(answer *ldap.Error) string {
	words := fmt.Sprintf("LDAP result %d (%s)", answer.ResultCode, cmp.Or(ldap.LDAPResultCodeMap[answer.ResultCode], "not known"))
	if meaning := results[answer.ResultCode]; meaning != "" {
		words = meaning + ", " + words
	}
	if text := strings.Trim(answer.Err.Error(), "\x00 "); text != "" {
		words += "; it says: " + text
	}
	return words
}

// broken returns what happened to a connection on which the LDAP library could not
// go on: it ended, or carried something else than LDAP. Empty for other errors. The
// library has one kind of error for both, so its text decides.
func broken(err error) string {
	var own *ldap.Error
	text := err.Error()
	packet := strings.Contains(text, "LDAP response packet") || strings.Contains(text, "decode child control") || strings.Contains(text, "malformed attribute")
	switch {
	case !packet && !(errors.As(err, &own) && own.ResultCode >= ldap.ErrorNetwork):
		return ""
	case strings.Contains(text, "EOF"), strings.Contains(text, "closed"), strings.Contains(text, "reset"), strings.Contains(text, "broken pipe"):
		return "the connection ended before its answer was whole"
	case strings.Contains(text, "TLS handshake failed"):
		return ""
	default:
		return "what it sends is not LDAP (RFC 4511): is another service at this port, or a device in between?"
	}
}
