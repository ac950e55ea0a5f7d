package audit

import (
	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/report"
)

// The facts of this package.
var (
	exchangeBuild   = &check.Fact{Name: "exchange_build", Doc: "the build of Exchange, by server"}
	accessLevel     = &check.Fact{Name: "default_access_level", Doc: "what ActiveSync does with a device to which no rule applies"}
	authCertificate = &check.Fact{Name: "auth_certificate", Doc: "the thumbprint of the certificate with which Exchange signs its own tokens"}
)

// facts records what the reports show of these; what they do not show is left
// out.
func (e estate) facts(v *check.Verdict) {
	if settings, err := report.Newest(e.Evidence, report.Report.ActiveSyncSettings); err == nil {
		v.Fact(accessLevel, "", settings.DefaultAccessLevel)
	}
	if c, err := report.Newest(e.Evidence, report.Report.AuthConfig); err == nil {
		v.Fact(authCertificate, "", c.CurrentThumbprint)
	}
	servers, _ := readServers(e)
	for _, s := range servers {
		if s.known {
			v.Fact(exchangeBuild, s.name, s.version.String())
		}
	}
}
