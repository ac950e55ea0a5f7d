package intake

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check/checktest"
	"github.com/hmad/hmad/internal/config"
)

func TestTheEndOfTheListenersCertificate(t *testing.T) {
	ca := checktest.NewCA(t)
	server := ca.Issue(t)
	chain := checktest.Written(t, "chain.pem", server.CertPEM+ca.Issue(t).CertPEM)
	listen := checktest.Setting[config.AddrPort]("127.0.0.1:0")
	for name, c := range map[string]struct {
		settings config.Report
		want     time.Time // zero: not known
	}{
		"a listener's certificate":       {config.Report{Listen: listen, CertFile: server.CertFile, KeyFile: server.KeyFile}, server.Cert.NotAfter},
		"the first of a chain":           {config.Report{Listen: listen, CertFile: chain, KeyFile: server.KeyFile}, server.Cert.NotAfter},
		"the key of another is not used": {config.Report{Listen: listen, CertFile: server.CertFile, KeyFile: ca.Issue(t).KeyFile}, time.Time{}},
		"the file is gone":               {config.Report{Listen: listen, CertFile: server.CertFile + "x", KeyFile: server.KeyFile}, time.Time{}},
		"reports in a folder":            {config.Report{Folder: t.TempDir()}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			notAfter, ok := CertificateNotAfter(c.settings, checktest.Env(time.Now))
			assert.Equal(t, c.want, notAfter)
			assert.Equal(t, !c.want.IsZero(), ok)
		})
	}
}
