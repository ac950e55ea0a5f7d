package probes

import (
	"crypto/sha1"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/check"
)

// The facts of a connection, shared by every check that asks a host.
var (
	addressesFact   = &check.Fact{Name: "addresses", Doc: "the addresses to which the host's name resolves"}
	certificateFact = &check.Fact{Name: "certificate", Doc: "thumbprint (SHA-1, as Windows shows it), issuer and expiry of the certificate that " +
		"the host presents"}
	tlsVersionFact = &check.Fact{Name: "tls_version", Doc: "the TLS version that hmad and the host agree on"}
	deviceFact     = &check.Fact{Name: "device", Doc: "the device that answers in front of Exchange, by its fingerprint"}
)

var connectionFactKinds = []*check.Fact{addressesFact, certificateFact, tlsVersionFact, deviceFact}

// The facts of the two endpoints.
var (
	givenURLFact  = &check.Fact{Name: "activesync_url", Doc: "the ActiveSync URL that AutoDiscover returns"}
	challengeFact = &check.Fact{Name: "challenge", Doc: "the parameters of Exchange's Bearer challenge"}
	frontEndFact  = &check.Fact{Name: "front_end", Doc: "the build of each front end that answered within a day"}
)

// connectionFacts records what the visits' connections showed, for each host
// all of its addresses together.
func connectionFacts(v *check.Verdict, visits []Visit) {
	for _, host := range hostsOf(visits) {
		seen := map[*check.Fact][]string{}
		add := func(f *check.Fact, value string) {
			if value != "" && !slices.Contains(seen[f], value) {
				seen[f] = append(seen[f], value)
			}
		}
		for _, x := range visits {
			if x.Host != host {
				continue
			}
			for _, a := range x.way.resolved {
				add(addressesFact, a.Unmap().String())
			}
			if len(x.Chain) > 0 {
				leaf := x.Chain[0]
				add(certificateFact, fmt.Sprintf("%X of %s until %s", sha1.Sum(leaf.Raw), issuer(leaf), check.Day(leaf.NotAfter)))
				add(tlsVersionFact, tls.VersionName(x.tls))
			}
			for _, a := range x.whole() {
				cs, _ := a.challenges()
				add(deviceFact, fingerprint(a, cs).name)
			}
		}
		for _, f := range connectionFactKinds {
			if values := seen[f]; len(values) > 0 {
				slices.Sort(values)
				v.Fact(f, host, strings.Join(values, "; "))
			}
		}
	}
}

// hostsOf returns the hosts that were visited, each once, in order.
func hostsOf(visits []Visit) []string {
	var hosts []string
	for _, x := range visits {
		if !slices.Contains(hosts, x.Host) {
			hosts = append(hosts, x.Host)
		}
	}
	return hosts
}

// challengeFacts records the parameters of Exchange's Bearer challenges.
func challengeFacts(v *check.Verdict, visits []Visit) {
	seen := map[string][]string{}
	for _, x := range visits {
		for _, a := range x.whole() {
			cs, _ := a.challenges()
			bearer := exchangeBearer(cs)
			if bearer == nil {
				continue
			}
			for _, name := range challengeParameters {
				value := bearer.Param(name)
				if name == "authorization_uri" && value != "" {
					value = shownLocation(value)
				}
				if value != "" && !slices.Contains(seen[name], value) {
					seen[name] = append(seen[name], value)
				}
			}
		}
	}
	for _, name := range challengeParameters {
		if values := seen[name]; len(values) > 0 {
			slices.Sort(values)
			v.Fact(challengeFact, name, strings.Join(values, "; "))
		}
	}
}

// challengeParameters are those that a person compares.
var challengeParameters = []string{"client_id", "authorization_uri", "trusted_issuers"}
