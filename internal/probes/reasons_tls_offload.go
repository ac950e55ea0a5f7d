package probes

import "github.com/hmad/hmad/internal/check"

// The reasons of the tls_offload check.
var (
	tlsOffloaded = &check.Reason{Name: "tls_offloaded", Severity: check.Critical,
		Summary: "Exchange sees plain HTTP where clients use HTTPS, so it refuses the cloud's tokens: mail on phones goes stale. TLS offloading is not supported.",
		Fix:     "Let the load balancer re-encrypt towards Exchange (TLS bridging: port 443 on the servers, with the same certificate), and turn offloading off for this virtual server."}
	hostRewritten = &check.Reason{Name: "host_rewritten", Severity: check.Critical,
		Summary: "Exchange sees another host name than the one that clients ask for, so it refuses tokens made for the published name: mail on phones goes stale.",
		Fix:     "Let the load balancer or reverse proxy pass the Host header on unchanged. The name in the detail after «Actual» is the one that Exchange gets."}
	forgedTokenAccepted = &check.Reason{Name: "forged_token_accepted", Severity: check.Critical,
		Summary: "A token without any valid signature, which anybody can make, drew a success: a device in front answers or signs in by itself, or tokens are not verified.",
		Fix:     "Investigate at once. Put the same question to each server by itself (`activesync: {members: […]}`) to see who answers; take rules that answer or sign in by themselves off the device in front; compare %ExchangeInstallPath%\\FrontEnd\\HttpProxy\\Sync\\web.config with a healthy server's."}
)

// tlsOffloadReasons lists every reason of the check in order of judgement.
var tlsOffloadReasons = append(transportReasons[:len(transportReasons):len(transportReasons)],
	tlsOffloaded, hostRewritten, forgedTokenAccepted,
)
