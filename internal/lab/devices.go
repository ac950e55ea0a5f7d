package lab

import (
	"net/http"
	"net/url"
)

// deviceFaults are the devices in front of Exchange that answer in
// its place, by what gives them away on the wire.
func deviceFaults(check string) []fault {
	return []fault{
		answering(check, check+".preauth_device", "F5 BIG-IP APM in front asks for a sign-in first (/my.policy).", f5APM()),
		answering(check, "netscaler."+check, "Citrix NetScaler Gateway in front asks for a sign-in first, /vpn/index.html (preauth_device).", netScaler()),
		answering(check, "kemp."+check, "Kemp LoadMaster's Edge Security Pack in front answers with a form (preauth_device).", kempESP),
		answering(check, "entra_proxy."+check, "Microsoft Entra application proxy in front sends the caller to sign in (preauth_device).", applicationProxy),
		answering(check, "adfs_proxy."+check, "The ADFS Web Application Proxy in front sends the caller to sign in (preauth_device).", adfsProxy),
	}
}

// logonPage is what a device serves at the address that it sends browsers to.
const logonPage = `<!DOCTYPE html><html><head><title>Sign in</title></head><body><form method="post">` +
	`<input name="username"><input name="password" type="password"></form></body></html>`

// logonAt returns a device that redirects everything to a logon page of its own
// on the same host.
func logonAt(path, server string, cookies ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = cookies
		if server != "" {
			h.Set("Server", server)
		}
		if r.URL.Path == path {
			page(w, http.StatusOK, logonPage)
			return
		}
		h.Set("Location", path)
		h.Set("Connection", "close")
		w.WriteHeader(http.StatusFound)
	}
}

// f5APM is F5 BIG-IP Access Policy Manager.
func f5APM() http.HandlerFunc {
	return logonAt("/my.policy", "BigIP",
		"LastMRH_Session=26a5fd3c;path=/;secure",
		"MRHSession=4c5c8b6d1f0a4b6f8e0d7c2126a5fd3c;path=/;secure",
		"F5_ST=1z1z1z1764000000z-1;path=/;secure")
}

// f5Deny is F5's iRule for ActiveSync when it refuses.
func f5Deny(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Connection", "close")
	page(w, http.StatusUnauthorized, "<html><head><title>Authentication Failured</title></head><body>Error: Authentication Failure</body></html>")
}

// netScaler is Citrix NetScaler Gateway.
func netScaler() http.HandlerFunc {
	return logonAt("/vpn/index.html", "",
		"NSC_TMAA=xyz;Path=/;secure;httponly",
		"NSC_TMAS=xyz;Path=/;expires=Wednesday, 09-Nov-1999 23:12:40 GMT;secure;httponly")
}

// kempESP is Kemp LoadMaster's Edge Security Pack: a form instead of the
// answer.
func kempESP(w http.ResponseWriter, _ *http.Request) {
	page(w, http.StatusOK, `<!DOCTYPE html><html><head><title>Sign in</title></head><body>`+
		`<img src="/lm_auth_proxy?LMimage=logo.png"><form method="post" action="/lm_auth_proxy?DoAuth"></form></body></html>`)
}

// applicationProxy is Microsoft Entra application proxy.
func applicationProxy(w http.ResponseWriter, r *http.Request) {
	query := url.Values{"response_type": {"code"}, "redirect_uri": {"https://" + r.Host + "/"}}
	w.Header().Set("Set-Cookie", "AzureAppProxyAccessCookie_6731de76-14a6-49ae-97bc-6eba6914391e_1.3=xyz; path=/; secure; HttpOnly")
	w.Header().Set("Location", "https://login.microsoftonline.com/"+tenant+"/oauth2/authorize?"+query.Encode())
	w.WriteHeader(http.StatusFound)
}

// adfsProxy is the Web Application Proxy of ADFS.
func adfsProxy(w http.ResponseWriter, r *http.Request) {
	query := url.Values{"version": {"1.0"}, "action": {"signin"}, "realm": {"urn:AppProxy:com"}, "returnUrl": {"https://" + r.Host + r.URL.Path}}
	w.Header().Set("Location", "https://sts."+domain+"/adfs/ls/?"+query.Encode())
	w.WriteHeader(http.StatusTemporaryRedirect)
}
