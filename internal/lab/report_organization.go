package lab

import "strings"

// The builds that the servers report: those of owaVersion.
const (
	displayVersion = "Version 15.2 (Build 2562.17)"
	fileVersion    = "15.02.2562.053"
)

const installPath = `C:\Program Files\Microsoft\Exchange Server\V15\`

// accessRule is a device access rule.
func accessRule(characteristic, query, level string) row {
	return row{"name": query + " (" + characteristic + ")", "characteristic": characteristic, "queryString": query, "accessLevel": level}
}

// allowService and blockBasic are the rules that the guide asks for.
func allowService() row { return accessRule("DeviceType", "OutlookService", "Allow") }

func blockBasic() row { return accessRule("DeviceModel", "Outlook for iOS and Android", "Block") }

// fillOrganization reports the organisation's settings as the guide wants them.
func fillOrganization(r *report) {
	r.set("organizationConfig", row{"name": "Contoso", "guid": organizationID, "oAuth2ClientProfileEnabled": true, "enableAuthAdminReadSession": nil})
	r.set("activeSyncSettings", row{"defaultAccessLevel": "Block"})
	r.set("deviceAccessRules", allowService(), blockBasic())
	r.set("transportConfig", row{"maxSendSize": "35 MB (36,700,160 bytes)", "maxReceiveSize": "35 MB (36,700,160 bytes)"})
	r.set("hybridConfiguration", row{"serviceInstance": 0, "features": []string{"FreeBusy", "MoveMailbox", "Mailtips", "SecureMail"}, "domains": []string{domain}})
	r.set("intraOrganizationConnectors", row{"name": "HybridIOC - " + organizationID, "enabled": true,
		"targetAddressDomains": []string{"contoso.mail.onmicrosoft.com"}, "targetSharingEpr": nil,
		"discoveryEndpoint": "https://autodiscover-s.outlook.com/autodiscover/autodiscover.svc"})
	r.set("organizationRelationships", row{"name": "On-premises to O365 - " + organizationID, "enabled": true,
		"domainNames": []string{"contoso.mail.onmicrosoft.com"}, "targetSharingEpr": nil,
		"targetAutodiscoverEpr": "https://autodiscover-s.outlook.com/autodiscover/autodiscover.svc/WSSecurity"})
	r.set("migrationEndpoints")
	var all []row
	for _, s := range servers {
		all = append(all, serverRow(s, displayVersion))
	}
	r.set("exchangeServers", all...)
}

func serverRow(name, version string) row {
	return row{"name": name, "fqdn": name + "." + domain, "adminDisplayVersion": version, "edition": "Enterprise",
		"serverRole": []string{"Mailbox", "ClientAccess"}, "site": domain + "/Configuration/Sites/HQ", "internetWebProxy": nil}
}

// fillDirectories reports every server's virtual directories.
func fillDirectories(r *report, f Facts) {
	oauth := []string{"Ntlm", "OAuth", "Negotiate"}
	var all []row
	for _, server := range servers {
		add := func(kind, name, url string, methods, iis []string) {
			all = append(all, row{"kind": kind, "server": server, "name": name + " (Default Web Site)", "internalUrl": url, "externalUrl": url,
				"internalAuthenticationMethods": methods, "externalAuthenticationMethods": methods, "iisAuthenticationMethods": iis,
				"extendedProtectionTokenChecking": "Require"})
		}
		at := func(path string) string { return strings.Replace(f.ActiveSyncURL, activeSyncPath, path, 1) }
		add("ActiveSync", "Microsoft-Server-ActiveSync", f.ActiveSyncURL, []string{}, []string{})
		add("Mapi", "mapi", at("/mapi"), oauth, oauth)
		add("WebServices", "EWS", at("/EWS/Exchange.asmx"), oauth, []string{})
		add("OAB", "OAB", at("/OAB"), oauth, []string{})
		add("Autodiscover", "Autodiscover", at("/autodiscover/autodiscover.xml"), oauth, []string{})
	}
	r.set("virtualDirectories", all...)
}

// fillServer reports what the collector reads on its own server.
func fillServer(r *report) {
	r.set("localServer", row{"installPath": installPath, "build": fileVersion})
	r.set("webConfig", row{"path": installPath + `FrontEnd\HttpProxy\Sync\web.config`, "maxRequestLength": 36864})
	r.set("iis", row{"location": "Default Web Site/Microsoft-Server-ActiveSync", "sslFlags": []string{"Ssl", "Ssl128"}})
}
