package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/report"
)

const mail = "https://mail.contoso.com/Microsoft-Server-ActiveSync"

// urls makes the section of directories: ActiveSync of EX01, EX02, ... with
// these external URLs.
func urls(all ...string) edit {
	var rows []string
	for i, u := range all {
		rows = append(rows, fmt.Sprintf(`{"kind":"ActiveSync","server":"EX%02d","externalUrl":%q}`, i+1, u))
	}
	return data(report.SectionDirectories, "["+strings.Join(rows, ",")+"]")
}

// sites puts EX01, EX02, ... into these sites.
func sites(all ...string) edit {
	var rows []string
	for i, s := range all {
		rows = append(rows, fmt.Sprintf(`{"name":"EX%02d","adminDisplayVersion":"x","site":"contoso.com/Configuration/Sites/%s"}`, i+1, s))
	}
	return data(report.SectionServers, "["+strings.Join(rows, ",")+"]")
}

func TestVirtualDirectoryMismatch(t *testing.T) {
	run(t, "virtual_directory_mismatch", []judged{
		{"all agree", nil, isMet, "ExternalUrl " + mail},
		{"case, default port and final slash", []edit{urls("HTTPS://MAIL.contoso.com:443/microsoft-server-activesync/", mail)}, isMet, ""},
		{"another host than configured", []edit{urls("https://eas.contoso.com/Microsoft-Server-ActiveSync")}, isUnmet, "no site has the configured " + mail},
		{"servers of a site disagree", []edit{urls(mail, "https://eas.contoso.com/Microsoft-Server-ActiveSync")}, isUnmet, "in site HQ EX01 has " + mail + ", EX02 has https://eas"},
		{"one of a site has none", []edit{urls(mail, "")}, isUnmet, "EX02 has no ExternalUrl"},
		{"the first of a site has none", []edit{urls("", mail)}, isUnmet, "EX01 has no ExternalUrl, EX02 has " + mail},
		{"sites with names of their own", []edit{urls(mail, "https://mail.fabrikam.com/Microsoft-Server-ActiveSync"), sites("HQ", "Branch")}, isMet, "fabrikam"},
		{"a site that does not face the Internet", []edit{urls(mail, ""), sites("HQ", "Branch")}, isMet, "; none in site Branch"},
		{"such a site sorted first", []edit{urls("", mail), sites("Branch", "HQ")}, isMet, "; none in site Branch"},
		{"such a site, and another host than configured", []edit{urls("https://eas.contoso.com/Microsoft-Server-ActiveSync", ""), sites("HQ", "Branch")}, isUnmet, "no site has the configured " + mail},
		{"no site has any", []edit{urls("", ""), sites("HQ", "Branch")}, isUnmet, "no site has an ExternalUrl"},
		{"a single site without", []edit{urls("", "")}, isUnmet, "no site has an ExternalUrl"},
		{"plain HTTP", []edit{urls("http://mail.contoso.com/Microsoft-Server-ActiveSync")}, isUnmet, "EX01 has http://"},
		{"another path", []edit{urls("https://mail.contoso.com/EAS")}, isUnmet, "EX01 has https://mail.contoso.com/EAS"},
		{"another port", []edit{urls("https://mail.contoso.com:8443/Microsoft-Server-ActiveSync")}, isUnmet, "configured"},
		{"servers unknown to the list", []edit{sites()}, isMet, ""},
		{"one object instead of a list", []edit{data(report.SectionDirectories, fmt.Sprintf(`{"kind":"activesync","server":"EX01","externalUrl":%q}`, mail))}, isMet, ""},
		{"no ActiveSync directory", []edit{data(report.SectionDirectories, `[{"kind":"OAB","server":"EX01"}]`)}, isOpen, "no ActiveSync"},
		{"directories failed", []edit{failed(report.SectionDirectories)}, isOpen, "access denied"},
		{"servers failed", []edit{failed(report.SectionServers)}, isOpen, "access denied"},
	})
	t.Run("no URL configured", func(t *testing.T) {
		e := estateOf(t, urls("https://eas.contoso.com/Microsoft-Server-ActiveSync"))
		e.activesync = ""
		judged{state: isMet, seen: "eas.contoso.com"}.check(t, judgeDirectories(e))
		e = estateOf(t, urls("", ""))
		e.activesync = ""
		judged{state: isUnmet, seen: "no site has an ExternalUrl"}.check(t, judgeDirectories(e))
	})
}

func TestNormalURL(t *testing.T) {
	assert.Equal(t, normalURL(mail), normalURL(" HTTPS://Mail.Contoso.com:443/MICROSOFT-SERVER-ACTIVESYNC/ "))
	assert.NotEqual(t, normalURL(mail), normalURL("http://mail.contoso.com/Microsoft-Server-ActiveSync"))
	assert.NotEqual(t, normalURL(mail), normalURL("https://mail.contoso.com:4430/Microsoft-Server-ActiveSync"))
	assert.Empty(t, normalURL(""))
}

func TestOAuthMissingOnVirtualDirectory(t *testing.T) {
	// directories returns one of each kind with OAuth, the Mapi one as told.
	directories := func(mapi string) edit {
		rows := `[{"kind":"Mapi","server":"EX01"` + mapi + `}`
		for _, kind := range []string{"WebServices", "OAB", "Autodiscover"} {
			rows += fmt.Sprintf(`,{"kind":%q,"server":"EX01","internalAuthenticationMethods":["Ntlm","OAuth"],"externalAuthenticationMethods":["Ntlm","OAuth"]}`, kind)
		}
		return data(report.SectionDirectories, rows+"]")
	}
	run(t, "oauth_missing_on_virtual_directory", []judged{
		{"on all", nil, isMet, "all 8 directories"},
		{"missing on both sides", []edit{directories(`,"internalAuthenticationMethods":["Ntlm"],"externalAuthenticationMethods":["Ntlm"]`)}, isUnmet, "EX01 Mapi"},
		{"missing outside", []edit{directories(`,"internalAuthenticationMethods":["OAuth"],"externalAuthenticationMethods":["Ntlm"]`)}, isUnmet, "EX01 Mapi"},
		{"only IIS's are shown", []edit{directories(`,"iisAuthenticationMethods":["Ntlm","OAuth"]`)}, isMet, ""},
		{"a text instead of a list, in other case", []edit{directories(`,"internalAuthenticationMethods":"Ntlm, OAUTH","externalAuthenticationMethods":"oauth"`)}, isMet, ""},
		{"no methods at all", []edit{directories("")}, isUnmet, "EX01 Mapi"},
		{"a kind is not there", []edit{urls(mail)}, isOpen, "no Mapi"},
		{"section failed", []edit{failed(report.SectionDirectories)}, isOpen, "access denied"},
	})
}
