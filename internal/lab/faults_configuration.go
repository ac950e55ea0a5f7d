package lab

import "time"

// configurationFaults are the guide's requirements, each not met.
func configurationFaults() []fault {
	const check = "configuration."
	all := func(reason, doc string, edit func(*report)) fault { return reporting(check+reason, doc, edit) }
	second := func(reason, doc string, edit func(*report)) fault { // on EX02 alone
		return all(reason, doc, func(r *report) {
			if r.Host == servers[1] {
				edit(r)
			}
		})
	}
	return []fault{
		all("outlook_service_blocked", "A device access rule blocks OutlookService.",
			func(r *report) {
				r.set("deviceAccessRules", accessRule("DeviceType", "OutlookService", "Block"), blockBasic())
			}),
		all("outlook_service_not_allowed", "Devices are quarantined by default, and the rule that lets in OutlookService is gone.",
			func(r *report) {
				r.set("activeSyncSettings", row{"defaultAccessLevel": "Quarantine"})
				r.set("deviceAccessRules", blockBasic())
			}),
		all("basic_outlook_allowed", "The rule that blocks Outlook with Basic authentication is gone.",
			func(r *report) { r.set("deviceAccessRules", allowService()) }),
		all("oauth_profile_disabled", "Somebody turned modern sign-in off for the organisation.",
			func(r *report) {
				r.amend("organizationConfig", "guid", organizationID, row{"oAuth2ClientProfileEnabled": false})
			}),
		second("request_length_too_small", "A cumulative update on EX02 wrote web.config anew, with its default of 10 MB.",
			func(r *report) {
				r.set("webConfig", row{"path": installPath + `FrontEnd\HttpProxy\Sync\web.config`, "maxRequestLength": 10240})
			}),
		all("exchange_too_old", "EX02 still runs Exchange 2019 CU13.", build("Version 15.2 (Build 1258.12)", "15.02.1258.012")),
		all("legacy_exchange_present", "A server of Exchange 2010 is still there.",
			func(r *report) {
				r.set("exchangeServers", append(r.rows("exchangeServers"), serverRow("EX00", "Version 14.3 (Build 513.0)"))...)
			}),
		all("exchange_unsupported", "EX02 still runs Exchange 2019 CU15.", build("Version 15.2 (Build 1748.10)", "15.02.1748.053")),
		all("security_update_old", "EX02 lacks the newest security update.", build("Version 15.2 (Build 2562.17)", "15.02.2562.049")),
		all("hybrid_configuration_missing", "The Hybrid Configuration Wizard never ran.", func(r *report) { r.set("hybridConfiguration") }),
		all("hybrid_agent_in_use", "The hybrid is published through the Hybrid Agent.",
			func(r *report) {
				r.amend("intraOrganizationConnectors", "enabled", true,
					row{"targetSharingEpr": "https://7c0f0a4e.resource.mailboxmigration.his.msappproxy.net/EWS/Exchange.asmx"})
			}),
		all("virtual_directory_mismatch", "EX02 hands out another ActiveSync URL than the other servers of its site.",
			func(r *report) {
				amendDirectory(r, "ActiveSync", row{"externalUrl": "https://ex02." + domain + activeSyncPath})
			}),
		all("oauth_missing_on_virtual_directory", "EX02's directory for EWS does not offer OAuth.",
			func(r *report) {
				amendDirectory(r, "WebServices", row{"internalAuthenticationMethods": []string{"Ntlm"}, "externalAuthenticationMethods": []string{"Ntlm"}})
			}),
		second("tls_offloading_configured", "EX02's ActiveSync directory takes plain HTTP.",
			func(r *report) {
				r.set("iis", row{"location": "Default Web Site/Microsoft-Server-ActiveSync", "sslFlags": []string{"None"}})
			}),
		second("client_certificate_required", "EX02's ActiveSync directory requires a client certificate.",
			func(r *report) {
				r.set("iis", row{"location": "Default Web Site/Microsoft-Server-ActiveSync", "sslFlags": []string{"Ssl", "SslNegotiateCert", "SslRequireCert"}})
			}),
		all("auth_certificate_expiring", "Exchange's own auth certificate ends in 30 days, and no other takes over.",
			func(r *report) {
				r.amend("exchangeCertificates", "thumbprint", authCertificate, row{"notAfter": r.GeneratedAt.Add(30 * day).Truncate(time.Second)})
			}),
		second("auth_certificate_missing", "EX02 lacks Exchange's own auth certificate.", func(r *report) { r.set("exchangeCertificates") }),
		all("dedicated_app_missing", "Exchange has no app of its own at Microsoft Entra.", func(r *report) { r.set("settingOverrides") }),
		all("build_table_old", "EX02 has a cumulative update that this hmad does not know.", build("Version 15.2 (Build 3100.5)", "15.02.3100.005")),
		{atEntra, check + "cloud_unsupported", "The tenant is one of the US Government Community.", func(b *behaviour) { b.cloud.subScope = "GCC" }},
	}
}

// build sets another build on EX02, in the directory and on the server itself.
func build(display, file string) func(*report) {
	return func(r *report) {
		r.amend("exchangeServers", "name", servers[1], row{"adminDisplayVersion": display})
		if r.Host == servers[1] {
			r.set("localServer", row{"installPath": installPath, "build": file})
		}
	}
}

// amendDirectory changes one of EX02's virtual directories.
func amendDirectory(r *report, kind string, change row) {
	for _, w := range r.rows("virtualDirectories") {
		if w["kind"] == kind && w["server"] == servers[1] {
			for k, v := range change {
				w[k] = v
			}
		}
	}
}
