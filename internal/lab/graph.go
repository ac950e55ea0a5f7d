package lab

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// graphHost is where Microsoft Graph stands among the lab's hosts.
	graphHost = "graph"
	graphName = "graph." + domain
)

// graphSide is what the faults make of the tenant that Graph tells of.
type graphSide struct{ edits []func(*graphTenant) }

// graphTenant is the tenant as Microsoft Graph tells of it.
type graphTenant struct {
	now                     time.Time
	principal, organization row
	policies                []row
	protection              map[string][]row // by platform
	plans                   []row            // of every user

	forbidden string        // a part of the path that draws 403
	busy      string        // a part of the path that draws 429
	wait      time.Duration // of a 429; 0: it says none
}

// graphOf returns the tenant with the faults of the moment.
func (l *Lab) graphOf(b *behaviour) *graphTenant {
	t := &graphTenant{now: l.opt.Now(),
		principal: row{"appId": exchangeClientID, "accountEnabled": true, "servicePrincipalNames": []string{exchangeClientID,
			exchangeClientID + "/outlook.office365.com", "https://outlook.office365.com/", "https://" + mailName + "/", "https://" + ewsName, "https://" + autodiscoverName}},
		organization: row{"id": l.facts.Tenant, "onPremisesSyncEnabled": true,
			"onPremisesLastSyncDateTime": l.opt.Now().Add(-20 * time.Minute).UTC().Format(time.RFC3339),
			"verifiedDomains":            []row{{"name": "contoso.onmicrosoft.test", "isInitial": true}, {"name": domain, "isDefault": true}}},
		policies: []row{
			accessPolicy("Phones need app protection", "OR", []string{"compliantApplication", "approvedApplication"}, "mobileAppsAndDesktopClients"),
			accessPolicy("Block Exchange ActiveSync", "OR", []string{"block"}, "exchangeActiveSync"),
			accessPolicy("Block legacy clients", "OR", []string{"block"}, "other"),
		},
		protection: map[string][]row{"ios": {protectionPolicy("ios")}, "android": {protectionPolicy("android")}},
		plans: []row{{"servicePlanId": "c1ec4a95-1f05-45b3-a911-aa3fa01094f5", "provisioningStatus": "Success"},
			{"servicePlanId": "41781fb2-bc02-4b7c-bd55-b576c07bb09d", "provisioningStatus": "Success"}},
	}
	for _, edit := range b.graph.edits {
		edit(t)
	}
	return t
}

// accessPolicy is a policy of conditional access for Exchange Online on phones.
func accessPolicy(name, operator string, controls []string, client string) row {
	return row{"id": guid(), "displayName": name, "state": "enabled", "conditions": row{"clientAppTypes": []string{client},
		"applications": row{"includeApplications": []string{"Office365"}}, "platforms": row{"includePlatforms": []string{"android", "iOS"}}},
		"grantControls": row{"operator": operator, "builtInControls": controls}}
}

// protectionPolicy is an app protection policy of Intune.
func protectionPolicy(platform string) row {
	p := row{"id": guid(), "displayName": "Outlook", "appGroupType": "selectedPublicApps", "pinRequired": true, "deviceComplianceRequired": true,
		"isAssigned": true, "assignments": []row{{"id": guid()}}}
	if platform == "ios" {
		p["appDataEncryptionType"] = "whenDeviceLocked"
		p["apps"] = []row{{"mobileAppIdentifier": row{"bundleId": "com.microsoft.Office.Outlook"}}}
		return p
	}
	p["encryptAppData"] = true
	p["apps"] = []row{{"mobileAppIdentifier": row{"packageId": "com.microsoft.office.outlook"}}}
	return p
}

// serveGraph answers as Microsoft Graph does, to whoever has a token for it.
func (l *Lab) serveGraph(b *behaviour, w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t := l.graphOf(b)
	path := strings.TrimPrefix(r.URL.Path, "/v1.0")
	in := func(part string) bool { return part != "" && strings.Contains(path, part) }
	switch {
	case !l.trusts(token, "https://"+r.Host):
		graphError(w, http.StatusUnauthorized, "InvalidAuthenticationToken")
	case in(t.forbidden):
		graphError(w, http.StatusForbidden, "Authorization_RequestDenied")
	case in(t.busy):
		if t.wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(t.wait.Seconds())))
		}
		graphError(w, http.StatusTooManyRequests, "TooManyRequests")
	case path == "/servicePrincipals(appId='"+exchangeClientID+"')":
		writeJSON(w, http.StatusOK, t.principal)
	case path == "/organization":
		writeJSON(w, http.StatusOK, row{"value": []row{t.organization}})
	case path == "/identity/conditionalAccess/policies":
		servePage(w, r, t.policies)
	case path == "/deviceAppManagement/iosManagedAppProtections":
		servePage(w, r, t.protection["ios"])
	case path == "/deviceAppManagement/androidManagedAppProtections":
		servePage(w, r, t.protection["android"])
	case strings.HasPrefix(path, "/users/") && strings.HasSuffix(path, "/licenseDetails"):
		writeJSON(w, http.StatusOK, row{"value": []row{{"skuPartNumber": "EMS", "servicePlans": t.plans}}})
	default:
		graphError(w, http.StatusNotFound, "Request_ResourceNotFound")
	}
}

// perPage is how many entries a page of the lab's Graph has.
const perPage = 2

// servePage answers one page of a list, and where the next one is.
func servePage(w http.ResponseWriter, r *http.Request, all []row) {
	from, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
	from = max(0, min(from, len(all)))
	to := min(from+perPage, len(all))
	answer := row{"value": append([]row{}, all[from:to]...)}
	if to < len(all) {
		next := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawQuery: url.Values{"$skiptoken": {strconv.Itoa(to)}}.Encode()}
		answer["@odata.nextLink"] = next.String()
	}
	writeJSON(w, http.StatusOK, answer)
}

// graphError answers with Graph's error document.
func graphError(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, row{"error": row{"code": code, "message": "Simulated by hmad's lab.", "innerError": row{"request-id": guid()}}})
}
