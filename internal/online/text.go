package online

import "strings"

// concurrencyText is the tenant's limit on calls at once, which comes with any
// status.
const concurrencyText = "maximum number of concurrent requests"

// knownTexts are the only words of Exchange that are shown: they help to mend
// and name nobody. Any other text may hold people's names in any form, and is
// not kept.
var knownTexts = []string{
	concurrencyText,
	"Expired or Invalid pagination request",
	"Parameter set cannot be resolved using the specified named parameters",
	"A parameter cannot be found that matches parameter name",
	"Cannot bind parameter",
	"Please check online documentation for assigning correct Directory Roles to Azure AD Application", // the application's role is none that Exchange takes
	"Cannot open mailbox",
	"The request body is not valid",
}

// knownText returns the first known text that one of these contains.
func knownText(texts []string) string {
	for _, known := range knownTexts {
		for _, s := range texts {
			if strings.Contains(strings.ToLower(s), strings.ToLower(known)) {
				return known
			}
		}
	}
	return ""
}
