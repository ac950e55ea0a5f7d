package probes

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
)

// The reasons of token_acceptance.
var (
	audienceNotRegistered = &check.Reason{Name: "audience_not_registered", Severity: check.Critical, Runbook: audienceNotRegisteredRunbook,
		Summary: "Entra issues no token for the ActiveSync host, because it is no service principal name of Exchange Online in the tenant: accounts cannot " +
			"be added and phones receive no new mail.",
		Fix: "Add the name with Microsoft Graph PowerShell: `$p = Get-MgServicePrincipal -Filter \"appId eq " +
			"'00000002-0000-0ff1-ce00-000000000000'\"`, then `Update-MgServicePrincipal -ServicePrincipalId $p.Id -ServicePrincipalNames " +
			"($p.ServicePrincipalNames + 'https://<host>/')`."}
	ewsAudienceNotRegistered = &check.Reason{Name: "ews_audience_not_registered", Severity: check.Warning, Runbook: ewsAudienceNotRegisteredRunbook,
		Summary: "Entra issues no token for the host of Exchange Web Services, because it is no service principal name of Exchange Online in the tenant. " +
			"Phones use the ActiveSync host and are not affected.",
		Fix: "Add the name as for the ActiveSync host, or name the right host in `token_acceptance.url`."}
	oauthOffOnDirectory = &check.Reason{Name: "oauth_off_on_directory", Severity: check.Warning, Runbook: oauthOffOnDirectoryRunbook,
		Summary: "OAuth is off on the directory of Exchange Web Services, so that nobody can see there whether tokens are accepted. Phones use another " +
			"directory.",
		Fix: "`Get-WebServicesVirtualDirectory | Format-List Identity,OAuthAuthentication`, then `Set-WebServicesVirtualDirectory '<identity>' " +
			"-OAuthAuthentication $true`."}
	tokenAudienceMismatch = &check.Reason{Name: "audience_mismatch", Severity: check.Warning, Runbook: audienceMismatchRunbook,
		Summary: "Exchange receives another URL than clients ask for (plain http, or another host), so it refuses tokens on this path: new mail may not " +
			"reach phones.",
		Fix: "Configure the load balancer to re-encrypt to Exchange and to pass on the Host header. The URL after «Actual» is the one that Exchange receives."}
	tokenIssuerUnknown = &check.Reason{Name: "issuer_unknown", Severity: check.Warning, Runbook: issuerUnknownRunbook,
		Summary: "Exchange does not accept the tenant that issued the token: its auth server is missing, disabled or of another tenant. New mail may not reach " +
			"phones.",
		Fix: "`Get-AuthServer | Format-List Name,Type,Enabled,Realm,IssuerIdentifier,AuthMetadataUrl`: EvoSTS must be enabled and have the tenant of the config."}
	tokenSignatureRefused = &check.Reason{Name: "signature_refused", Severity: check.Warning, For: 15 * time.Minute, Confirm: true, Runbook: signatureRefusedRunbook,
		Summary: "Exchange refuses the signature of a token that Entra issued just now: it does not know Microsoft's key. The cloud's tokens are refused " +
			"alike, and new mail does not reach phones.",
		Fix: "On the servers: `Get-AuthServer | Set-AuthServer -RefreshAuthMetadata`. If one address alone refuses, recycle MSExchangeServicesAppPool and " +
			"MSExchangeSyncAppPool there. Exchange must reach login.windows.net."}
	tokenExpired = &check.Reason{Name: "expired_on_arrival", Severity: check.Warning, Runbook: expiredOnArrivalRunbook,
		Summary: "Exchange takes a fresh token for expired: the server's clock is wrong, and the cloud's tokens may be refused alike.",
		Fix:     "On the server: `w32tm /query /status`, then `w32tm /resync`. Domain members follow the domain controller: look at its clock, too."}
)

// answerReasons are those that Exchange's answer shows, in the order in which it
// looks at a token (reported for Exchange 2013).
var answerReasons = []*check.Reason{oauthOffOnDirectory, tokenAudienceMismatch, tokenIssuerUnknown, tokenSignatureRefused, tokenExpired}

var acceptanceReasons = append([]*check.Reason{audienceNotRegistered, ewsAudienceNotRegistered}, answerReasons...)

// judgeAcceptance judges one address's answer. What is not in the table of the
// answers is undecided, with the diagnostics.
func judgeAcceptance(v *check.Verdict, address string, a *Answer) {
	diag := diagnosticsOf(a.Header)
	r, accepted := refusalOf(a, diag)
	v.Note("%s: %s", address, inconclusiveText(a, diag))
	switch {
	case accepted:
		v.Clear(answerReasons...)
		v.Sample(TokenSignatureAccepted, 1, address)
		if a.Status == http.StatusOK {
			v.Note("%s: Exchange Web Services answered 200 to a token without any role: look at what it may do", address)
		}
	case r == nil:
		v.Undecided(check.Errorf(check.Token, "the answer does not show whether Exchange accepts the token: %s: %s", address, inconclusiveText(a, diag)),
			answerReasons...)
	default:
		v.Find(r, nil, "%s", inconclusiveText(a, diag))
		judgeUpTo(v, r, diag)
		sampleSignature(v, r, diag, address)
	}
}

// refusedTenant is the number for a tenant that is not accepted: it comes after the
// signature and the lifetime.
const refusedTenant = 2000004

// judgeUpTo clears what Exchange looks at before the reason, and leaves open what
// it looks at later.
func judgeUpTo(v *check.Verdict, r *check.Reason, diag Diagnostics) {
	later := check.After(answerReasons, r)
	for _, other := range answerReasons {
		if other != r && !slices.Contains(later, other) {
			v.Clear(other)
		}
	}
	if diag.Number == refusedTenant {
		v.Clear(later...)
		return
	}
	v.Open("Exchange refused the token at "+r.Name, later...)
}

func sampleSignature(v *check.Verdict, r *check.Reason, diag Diagnostics, address string) {
	switch {
	case r == tokenSignatureRefused:
		v.Sample(TokenSignatureAccepted, 0, address)
	case r == tokenExpired || diag.Number == refusedTenant:
		v.Sample(TokenSignatureAccepted, 1, address)
	}
}

// refusalOf places an answer of Exchange Web Services: accepted up to the token's
// lifetime, or refused with a reason, or neither (facts C2). The number 2000001
// stands for several faults; its texts decide.
func refusalOf(a *Answer, d Diagnostics) (r *check.Reason, accepted bool) {
	text := strings.ToLower(d.Reason)
	switch {
	case cloudMark(a) != "" || !ofExchange(a):
		return nil, false
	case d.is(2000000, "invalid_signature"):
		return tokenSignatureRefused, false
	case d.Number == 2000001 && strings.Contains(text, "claim") && strings.Contains(text, "roles"):
		return nil, true
	case d.Number == 2000001 && strings.Contains(text, "issuer") && strings.Contains(text, "unknown"):
		return tokenIssuerUnknown, false
	case d.Number == 2000002:
		return tokenExpired, false
	case d.Number == 2000003 && strings.Contains(text, "actual '"):
		return tokenAudienceMismatch, false
	case d.Number == refusedTenant:
		return tokenIssuerUnknown, false
	case d.Number == 2000008:
		return nil, true
	case d.is(4000000, "oauth_not_available"), offersNoBearer(a, d):
		return oauthOffOnDirectory, false
	default:
		return nil, d.Number == 0 && ewsAnswered(a)
	}
}

// ofExchange reports whether a front end of Exchange answered: it names itself.
func ofExchange(a *Answer) bool { return a.Header.Get("X-Feserver") != "" }

// offersNoBearer reports whether the answer asks for a sign-in, and not for a token.
func offersNoBearer(a *Answer, d Diagnostics) bool {
	cs, err := a.challenges()
	return a.Status == http.StatusUnauthorized && d.Number == 0 && err == nil && len(cs) > 0 && scheme(cs, "Bearer") == nil
}

// ewsAnswered reports whether Exchange Web Services themselves answered, behind the
// sign-in.
func ewsAnswered(a *Answer) bool {
	switch a.Status {
	case http.StatusOK, http.StatusMethodNotAllowed:
		return true
	case http.StatusInternalServerError:
		return bytes.Contains(bytes.ToLower(a.Body), []byte(":fault"))
	case http.StatusFound:
		to, err := url.Parse(a.Header.Get("Location"))
		return err == nil && strings.HasPrefix(strings.ToLower(to.Path), "/ews/") && (to.Host == "" || strings.EqualFold(to.Hostname(), a.URL.Hostname()))
	default:
		return false
	}
}
