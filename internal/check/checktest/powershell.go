package checktest

import "regexp"

var (
	code       = regexp.MustCompile("`([^`]+)`")
	powershell = regexp.MustCompile(`^(@?\(|\$\w|[A-Z][a-z]+-[A-Z])`)
)

// PowerShell lists the lines of PowerShell in a declared text: what stands in
// backticks and begins with a cmdlet, a variable or a bracket.
func PowerShell(text string) []string {
	var lines []string
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		if powershell.MatchString(m[1]) {
			lines = append(lines, m[1])
		}
	}
	return lines
}
