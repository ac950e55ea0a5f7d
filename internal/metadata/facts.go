package metadata

import (
	"strings"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// The facts of this package.
var (
	publishedKeys = &check.Fact{Name: "published_keys", Doc: "the signing certificates that Microsoft publishes, the first digits of each thumbprint; by document"}
	storedKeys    = &check.Fact{Name: "stored_keys", Doc: "the signing certificates that Exchange holds, the first digits of each thumbprint; by auth server"}
	defaultServer = &check.Fact{Name: "default_auth_server", Doc: "the auth server that is the default authorisation endpoint"}

	refreshServer = &check.Fact{Name: "refresh_server", Doc: "the Exchange server that runs the refresh job"}

	collectorVersion = &check.Fact{Name: "collector_version", Doc: "the version of hmad's collector, by host"}
)

// factDigits is how many digits of a thumbprint a fact shows: with them the
// twenty certificates that a change of keys may have fit into one value. The
// timeline has them whole.
const factDigits = 8

// facts records the keys of both sides and the default auth server, where they
// were seen.
func (o *observation) facts(v *check.Verdict) {
	for _, at := range o.places() {
		if p, seen := o.published[at]; seen {
			v.Fact(publishedKeys, p.Place(), digits(p.Certificates))
		}
	}
	if o.heldErr != nil {
		return
	}
	for _, s := range o.servers {
		v.Fact(storedKeys, s.Name, digits(certificatesOf(s)))
	}
	v.Fact(defaultServer, "", names(defaultsOf(o.held.Servers)))
}

// digits returns the beginnings of the certificates' thumbprints.
func digits(certificates []Certificate) string {
	var out []string
	for _, c := range certificates {
		out = append(out, c.Thumbprint.String()[:factDigits])
	}
	return strings.Join(out, ", ")
}

// defaultsOf returns the enabled auth servers that are the default
// authorisation endpoint.
func defaultsOf(all []report.AuthServer) []report.AuthServer {
	var out []report.AuthServer
	for _, s := range all {
		if s.Enabled && s.Default {
			out = append(out, s)
		}
	}
	return out
}
