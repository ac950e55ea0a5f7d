package lab

import (
	"slices"
	"time"
)

// Where a fault changes something: the host of the check vantage is Entra's,
// and the Exchange organisation has no host of its own.
const (
	atEntra    = "vantage"
	onPremises = "premises"
)

// otherTenant is another's.
const otherTenant = "00c118a9-2de9-41d3-b39a-81648a7a5e4d"

// reporting returns a fault in what the servers report.
func reporting(name, doc string, edit func(*report)) fault {
	return fault{onPremises, name, doc, func(b *behaviour) { b.premises.edits = append(b.premises.edits, edit) }}
}

// evostsFaults are those of the signing certificates on both sides. Those that
// are a matter of hours need hmad's memory to be written (Past); beside any
// other hmad they take their time.
func evostsFaults() []fault {
	authServer := func(reason, doc string, change row) fault {
		return reporting("evosts_metadata."+reason, doc, func(r *report) { r.amend("authServers", "type", "AzureAD", change) })
	}
	rolled := func(reason, doc string, how rolling, seen time.Duration) fault {
		return fault{atEntra, "evosts_metadata." + reason, doc, func(b *behaviour) {
			b.cloud.rolling, b.cloud.cached, b.cloud.seen = how, true, seen
		}}
	}
	return []fault{
		authServer("auth_server_missing", "Exchange trusts another tenant: the auth server of type AzureAD has that one's realm.",
			row{"realm": otherTenant, "issuerIdentifier": "https://sts.windows.net/" + otherTenant + "/"}),
		authServer("auth_server_disabled", "Somebody disabled the auth server of type AzureAD.", row{"enabled": false}),
		authServer("default_endpoint_missing", "No auth server is the default authorisation endpoint.", row{"isDefaultAuthorizationEndpoint": false}),
		reporting("evosts_metadata.default_endpoint_ambiguous", "An auth server for ADFS is a default authorisation endpoint as well.",
			func(r *report) { r.set("authServers", append(r.rows("authServers"), adfsServer())...) }),
		{atEntra, "evosts_metadata.realm_mismatch", "The metadata at the auth server's address is of another tenant.",
			func(b *behaviour) { b.cloud.issuer = otherTenant }},
		{atEntra, "evosts_metadata.certificate_limit", "Microsoft publishes nine signing certificates, and Exchange has stored them all.",
			func(b *behaviour) { b.cloud.rolling = plentyOf }},
		rolled("signing_key_missing", "Microsoft changed its signing key in an emergency: a certificate that was published a minute ago signs "+
			"already, and Exchange lacks it.", inUse, time.Minute),
		rolled("metadata_long_stale", "A cache between Exchange and Microsoft holds the metadata of yesterday: a certificate that was published "+
			"14 hours ago is not stored.", ahead, 14*time.Hour),
		rolled("metadata_stale", "A cache between Exchange and Microsoft holds the metadata of this morning: a certificate that was published 9 "+
			"hours ago is not stored.", ahead, 9*time.Hour),
	}
}

func adfsServer() row {
	return row{"name": "ADFS", "type": "ADFS", "enabled": true, "isDefaultAuthorizationEndpoint": true,
		"issuerIdentifier": "http://adfs." + domain + "/adfs/services/trust", "realm": nil,
		"authorizationEndpoint": "https://adfs." + domain + "/adfs/oauth2/authorize", "tokenIssuingEndpoint": "https://adfs." + domain + "/adfs/oauth2/token",
		"authMetadataUrl": "https://adfs." + domain + "/FederationMetadata/2007-06/FederationMetadata.xml", "certificateStrings": []string{}}
}

// refreshFaults are those of the job that keeps the stored copy, and of what
// Exchange says of tokens.
func refreshFaults(keys *keyring) []fault {
	const check = "metadata_refresh."
	return append([]fault{
		reporting(check+"arbitration_mailbox_missing", "No arbitration mailbox has the capability that the refresh job looks for.",
			func(r *report) { r.set("arbitration"); r.set("databaseCopies") }),
		reporting(check+"arbitration_mailbox_multiple", "Two arbitration mailboxes have the capability that the refresh job looks for.",
			func(r *report) {
				r.set("arbitration", append(r.rows("arbitration"), row{"name": "Migration.8f3e7716-2011-43e4-96b1-aba62d229136",
					"database": "DB02", "persistedCapabilities": []string{refreshCapability}})...)
				r.set("databaseCopies", append(r.rows("databaseCopies"), databaseCopy("DB02", servers[1], "Mounted"))...)
			}),
		reporting(check+"database_not_mounted", "The database of the arbitration mailbox is dismounted.",
			func(r *report) {
				r.amend("databaseCopies", "databaseName", "DB01", row{"status": "Dismounted"})
			}),
		reporting(check+"tokens_refused", "Exchange refused 24 tokens within the hour that Microsoft's key in use signs (event 2006).",
			func(r *report) {
				_, using := keys.keys()
				r.logOAuth(event{r.GeneratedAt.Add(-3 * time.Minute), 2006, "Failed to authenticate a token: invalid signature."},
					50*time.Minute, 24, using.id())
			}),
		reporting(check+"stale_copy_proven", "Exchange itself has said for nine hours that the published metadata holds more than its stored "+
			"copy (event 2008).",
			func(r *report) {
				r.amend("authServers", "name", evoSTSName, row{"whenChanged": r.GeneratedAt.Add(-3 * day)})
				r.log("authAdminEvents", slices.DeleteFunc(r.rows("authAdminEvents"), func(w row) bool { return w["id"] == eventUpdated })...)
				r.logOAuth(event{r.GeneratedAt.Add(-5 * time.Minute), 2008, "New certificates were found at the metadata URL of " +
					"" + evoSTSName + "."}, 9*time.Hour, 37, "")
			}),
		{onPremises, check + "refresh_overdue", "The refresh job has not run for 14 hours: MSExchangeServiceHost hangs.", stopJob},
	}, failingJobs()...)
}

// logOAuth adds an event of MSExchange OAuth on the first server, which began
// that long before the report.
func (r *report) logOAuth(e event, began time.Duration, count int, keyID string) {
	if r.Host == servers[0] {
		r.log("oauthEvents", eventRow("MSExchange OAuth", e, r.GeneratedAt.Add(-began), count, keyID))
	}
}

func stopJob(b *behaviour) {
	const ago = 14 * time.Hour
	b.premises.jobStopped, b.premises.lastRun = true, ago
	b.premises.edits = append(b.premises.edits, func(r *report) {
		r.log("authAdminEvents", slices.DeleteFunc(r.rows("authAdminEvents"), func(w row) bool {
			return w["time"].(time.Time).After(r.GeneratedAt.Add(-ago))
		})...)
	})
}

// failingJobs are the ways in which the refresh job fails, one for each event.
func failingJobs() []fault {
	const check = "metadata_refresh"
	failing := func(name, doc string, event int) fault {
		return fault{onPremises, name, doc, func(b *behaviour) { b.premises.jobError = event }}
	}
	return []fault{
		failing(check+".refresh_failing", "The refresh job cannot reach Microsoft's metadata (event 2010).", 2010),
		failing("permanent_exception."+check, "The refresh job ends its run with a permanent exception (event 2003; refresh_failing).", 2003),
		failing("transient_exception."+check, "A download fails, and the refresh job tries again every quarter of an hour (event 2004; "+
			"refresh_failing).", eventTransient),
		failing("bad_configuration."+check, "The refresh job finds the auth server's settings not valid (event 2006; refresh_failing).", 2006),
		failing("issuer_mismatch."+check, "The refresh job finds another issuer in the metadata (event 2007; refresh_failing).", 2007),
		failing("bad_url."+check, "The auth server's metadata URL is not valid (event 2008; refresh_failing).", 2008),
		failing("corrupt_metadata."+check, "A device on the way spoils the metadata (event 2009; refresh_failing).", 2009),
		failing("certificate_list."+check, "The metadata holds no certificate, or over ten (event 2011; refresh_failing).", 2011),
		failing("bad_certificates."+check, "The metadata holds certificates that cannot be read (event 2012; refresh_failing).", 2012),
	}
}
