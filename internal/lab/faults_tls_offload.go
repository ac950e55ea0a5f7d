package lab

import "net/http"

// tlsOffloadFaults are those of what stands between the phones' name and
// Exchange, and shows in Exchange's answer to a token for a foreign audience.
func tlsOffloadFaults() []fault {
	const check = "tls_offload"
	sees := func(scheme, host string) func(*behaviour) {
		return func(b *behaviour) { b.sees = &seenURL{scheme, host} }
	}
	return []fault{
		{check, "tls_offload.tls_offloaded", "The load balancer ends TLS and speaks plain HTTP to Exchange.", sees("http", mobileName)},
		{check, "tls_offload.host_rewritten", "The reverse proxy asks Exchange by the server's internal name.", sees("https", "ex01.corp."+domain)},
		answering(check, "tls_offload.forged_token_accepted", "A device in front signs in by itself whoever shows any token (200).", acceptAll),
	}
}

// acceptAll answers as ActiveSync does to whoever is signed in.
func acceptAll(w http.ResponseWriter, r *http.Request) {
	frontEndHeader(w, r)
	w.Header()["MS-Server-ActiveSync"] = []string{"15.2"}
	w.WriteHeader(http.StatusOK)
}
