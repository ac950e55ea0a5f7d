package online

import "strings"

// concurrencyText is the tenant's limit on calls at once, which comes with any
// status.
const concurrencyText = "maximum number of concurrent requests"

// knownTexts are what is shown of Exchange's own words, as they stand here: they
// help to mend and name nobody. The rest is free text, in which the names of
// people stand in every form that there is, so nothing else of it is kept.
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

// knownText gives the first of the known texts that stands in one of these.
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
