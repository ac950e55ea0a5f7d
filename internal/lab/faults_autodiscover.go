package lab

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// autodiscoverFaults are those in AutoDiscover's answers.
func autodiscoverFaults(f Facts) []fault {
	answer := func(reason, doc string, h http.HandlerFunc) fault {
		return answering("autodiscover", "autodiscover."+reason, doc, h)
	}
	giving := func(reason, doc, u string) fault {
		return fault{"autodiscover", "autodiscover." + reason, doc, func(b *behaviour) { b.url = &u }}
	}
	return []fault{
		answer("points_to_cloud", "The AutoDiscover name leads to Exchange Online, which answers itself.", cloudEndpoint),
		answer("authentication_required", "Anonymous access to the AutoDiscover directory is off: Exchange answers 401.", credentialsWanted),
		answer("blocked", "IIS refuses the caller's address (403).", iisError(http.StatusForbidden, "Forbidden: Access is denied.")),
		answer("server_error", "MSExchangeAutodiscoverAppPool is stopped (503).", stoppedPool),
		answer("redirect_loop", "AutoDiscover redirects to itself without end.",
			redirect(func(r *http.Request) string { return "https://" + r.Host + r.URL.RequestURI() })),
		answer("redirect_insecure", "AutoDiscover redirects to http, as behind a device that ends TLS.",
			redirect(func(r *http.Request) string { return "http://" + autodiscoverName + r.URL.RequestURI() })),
		answer("redirects_to_cloud", "The probe mailbox was moved to Exchange Online: AutoDiscover redirects there.", redirect(cloudAutodiscover)),
		answer("unexpected_status", "AutoDiscover is not published here: IIS knows no such path (404).", iisError(http.StatusNotFound,
			"File or directory not found.")),
		answer("probe_mailbox_unknown", "Exchange does not find the probe mailbox (UserNotFound).", writeDiscoveryError(userNotFound)),
		answering("autodiscover", "domain_unknown.autodiscover", "Exchange does not accept the probe mailbox's domain: DomainNotFound (probe_mailbox_unknown).",
			writeDiscoveryError(discoveryError{http.StatusNotFound, "DomainNotFound", "The given domain is not found"})),
		answer("autodiscover_error", "AutoDiscover refuses the question with an error of its own (InvalidUserId).",
			writeDiscoveryError(discoveryError{http.StatusBadRequest, "InvalidUserId", "The given SMTP address is invalid '" + mailbox + "'"})),
		{"autodiscover", "autodiscover.protocol_wrong", "AutoDiscover answers for Ews, whatever is asked.",
			func(b *behaviour) { p := "Ews"; b.protocol = &p }},
		giving("url_missing", "AutoDiscover's answer has no Url.", ""),
		giving("url_insecure", "The virtual directory's ExternalUrl begins with http.", strings.Replace(f.ActiveSyncURL, "https:", "http:", 1)),
		giving("url_mismatch", "The virtual directory's ExternalUrl names another host, owa.contoso.test.", strings.Replace(f.ActiveSyncURL,
			mailName, "owa."+domain, 1)),
		{"autodiscover", "autodiscover.private_address", "DNS also answers a link-local address, fe80::1, for the AutoDiscover name.",
			func(b *behaviour) { b.ipv6 = append(b.ipv6, netip.MustParseAddr("fe80::1")) }},
	}
}

// cloudAutodiscover is where Exchange sends the client of a mailbox whose
// targetAddress lies in Exchange Online.
func cloudAutodiscover(r *http.Request) string {
	q := r.URL.Query()
	query := url.Values{"Email": {"hmad-probe@contoso.mail.onmicrosoft.com"}, "Protocol": {q.Get("Protocol")}, "RedirectCount": {q.Get("RedirectCount")}}
	return "https://outlook.office365.com" + autodiscoverPath + "?" + query.Encode()
}

func cloudEndpoint(w http.ResponseWriter, r *http.Request) {
	cloudHeader(w)
	writeJSON(w, http.StatusOK, endpoint{r.URL.Query().Get("Protocol"), "https://outlook.office365.com" + activeSyncPath})
}

func credentialsWanted(w http.ResponseWriter, r *http.Request) {
	frontEndHeader(w, r)
	h := w.Header()
	h["X-OWA-Version"] = []string{owaVersion}
	h["WWW-Authenticate"] = []string{"Negotiate", "NTLM", `Basic realm="` + autodiscoverName + `"`}
	w.WriteHeader(http.StatusUnauthorized)
}
