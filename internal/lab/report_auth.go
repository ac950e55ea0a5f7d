package lab

import (
	"encoding/base64"
	"encoding/json"
	"time"
)

// organizationID is the on-premises organisation's GUID, which the Hybrid
// Configuration Wizard writes into names.
const organizationID = "7c0f0a4e-7d3a-4b5e-9d0e-0a3c1a5c8f11"

// The auth servers' names.
const (
	evoSTSName = "EvoSts - " + organizationID
	acsName    = "ACS - " + organizationID
)

// The certificate by which Exchange itself signs.
const authCertificate = "8A1C2B3D4E5F60718293A4B5C6D7E8F901234567"

// The arbitration mailbox whose database decides which server runs the job.
const (
	arbitrationMailbox = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"
	refreshCapability  = "OrganizationCapabilityManagement"
)

// fillAuthServers reports whom Exchange trusts, and its own certificate.
func (p *premises) fillAuthServers(r *report, f Facts, c cloudSide) {
	var stored []string
	for _, k := range p.held(c) {
		stored = append(stored, base64.StdEncoding.EncodeToString(k.der))
	}
	r.set("authServers", row{
		"name": acsName, "type": "MicrosoftACS", "enabled": true, "isDefaultAuthorizationEndpoint": false,
		"issuerIdentifier": "00000001-0000-0000-c000-000000000000", "realm": f.Tenant,
		"tokenIssuingEndpoint": "https://accounts.accesscontrol.windows.net/" + f.Tenant + "/tokens/OAuth/2",
		"authMetadataUrl":      "https://accounts.accesscontrol.windows.net/" + f.Tenant + "/metadata/json/1",
		"domainName":           []string{domain}, "certificateStrings": []string{}, "whenChanged": p.now().Add(-90 * day).UTC(),
	}, row{
		"name": evoSTSName, "type": "AzureAD", "enabled": true, "isDefaultAuthorizationEndpoint": true,
		"issuerIdentifier": "https://sts.windows.net/" + f.Tenant + "/", "realm": f.Tenant,
		"authorizationEndpoint": entraAuthorize, "tokenIssuingEndpoint": "https://login.windows.net/common/oauth2/token",
		"authMetadataUrl": f.FederationMetadata, "applicationIdentifier": "1f3d8c4e-5a0b-4a52-9d53-0b7f6b3c2a10",
		"domainName": []string{"contoso.mail.onmicrosoft.com"}, "certificateStrings": stored, "whenChanged": p.changed.UTC(),
	})
	r.set("authConfig", row{"currentCertificateThumbprint": authCertificate, "nextCertificateThumbprint": nil,
		"previousCertificateThumbprint": nil, "nextCertificateEffectiveDate": nil, "serviceName": exchangeClientID, "realm": nil})
	r.set("exchangeCertificates", row{"server": r.Host, "thumbprint": authCertificate, "subject": "CN=Microsoft Exchange Server Auth Certificate",
		"notBefore": p.now().Add(-2 * 365 * day).UTC(), "notAfter": p.now().Add(3 * 365 * day).UTC(), "services": []string{"SMTP"}, "hasPrivateKey": true})
	r.set("settingOverrides", row{"name": "EnableExchangeHybrid3PAppFeature", "componentName": "Global",
		"sectionName": "ExchangeOnpremAsThirdPartyAppId", "parameters": []string{"Enabled=true"}, "server": []string{}})
}

// fillJob reports the refresh job: who runs it, and its events there.
func (p *premises) fillJob(r *report) {
	r.set("arbitration", row{"name": arbitrationMailbox, "database": "DB01",
		"persistedCapabilities": []string{"OrganizationCapabilityUMGrammarReady", refreshCapability}})
	r.set("databaseCopies", databaseCopy("DB01", servers[0], "Mounted"), databaseCopy("DB01", servers[1], "Healthy"))
	r.log("oauthEvents")
	r.log("authAdminEvents")
	if r.Host != servers[0] {
		return
	}
	var rows []row
	for _, e := range p.events {
		rows = append(rows, eventRow("MSExchange AuthAdmin", e, e.At, 1, ""))
	}
	r.log("authAdminEvents", rows...)
}

func databaseCopy(database, server, status string) row {
	return row{"name": database + `\` + server, "databaseName": database, "mailboxServer": server, "status": status}
}

// eventRow words an event that occurred count times since first; keyID is the
// key that it names, if any.
func eventRow(source string, e event, first time.Time, count int, keyID string) row {
	level := "Information"
	switch {
	case source == "MSExchange OAuth", e.ID == eventTransient:
		level = "Warning"
	case jobErrors[e.ID] != "":
		level = "Error"
	}
	w := row{"time": e.At.UTC(), "first": first.UTC(), "id": e.ID, "level": level, "source": source, "count": count, "keyId": nil, "message": e.Message}
	if keyID != "" {
		w["keyId"] = keyID
	}
	return w
}

// MarshalJSON returns times as the collector writes them, to the tenth of a
// microsecond.
func (w row) MarshalJSON() ([]byte, error) {
	out := make(map[string]any, len(w))
	for k, v := range w {
		if t, ok := v.(time.Time); ok {
			v = t.Format("2006-01-02T15:04:05.0000000Z07:00")
		}
		out[k] = v
	}
	return json.Marshal(out)
}
