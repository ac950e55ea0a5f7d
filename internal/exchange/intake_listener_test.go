package exchange

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
)

func TestListenerSamples(t *testing.T) {
	ca := newAuthority(t)
	server := ca.issue(t)
	end := []check.Sample{{Metric: CredentialNotAfter, Value: float64(server.cert.NotAfter.Unix()), Labels: []string{"report_listener"}}}
	chain := written(t, "chain.pem", server.certPEM+ca.issue(t).certPEM)
	for name, c := range map[string]struct {
		settings config.Report
		want     []check.Sample
	}{
		"a listener's certificate":       {config.Report{Listen: "127.0.0.1:0", CertFile: server.certFile, KeyFile: server.keyFile}, end},
		"the first of a chain":           {config.Report{Listen: "127.0.0.1:0", CertFile: chain, KeyFile: server.keyFile}, end},
		"the key of another is not used": {config.Report{Listen: "127.0.0.1:0", CertFile: server.certFile, KeyFile: ca.issue(t).keyFile}, nil},
		"the file is gone":               {config.Report{Listen: "127.0.0.1:0", CertFile: server.certFile + "x", KeyFile: server.keyFile}, nil},
		"reports in a folder":            {config.Report{Folder: t.TempDir()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, ListenerSamples(c.settings, testEnv(time.Now)))
		})
	}
}
