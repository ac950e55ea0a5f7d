package main

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDoctor(t *testing.T) {
	l := startLab(t)
	sixOnly := write(t, t.TempDir(), "hmad.yaml", sixLines+"    resolver: "+l.Facts().Resolver+"\n")
	for name, c := range map[string]struct {
		config string
		fault  string
		code   int
		lines  []string
	}{
		"a healthy estate": {labConfig(t, l, ""), "", exitOK, []string{
			`works +DNS of AutoDiscover +autodiscover\.contoso\.test is `,
			`works +check evosts_metadata +passed`,
			`off +directory \(LDAP\) +for want of onprem\.ldap\.url`,
			`off +check mailbox_sync +for want of exchange_online, and sync\.mailboxes`,
			`off +check onprem_sync +for want of onprem\.report\.listen or onprem\.report\.file, and sync\.mailboxes`,
		}},
		"a fault is broken, with its fix": {labConfig(t, l, ""), "autodiscover.probe_mailbox_unknown", exitWarned, []string{
			`warning +check autodiscover +probe_mailbox_unknown: .*\n +→ \S`,
		}},
		"six lines alone": {sixOnly, "", exitFailed, []string{
			`broken +DNS of AutoDiscover +autodiscover\.contoso\.com does not resolve\n +→ check the name in public DNS`,
			`off +listener for reports +for want of onprem\.report\.listen`,
			`off +token from Entra +for want of exchange_online\.certificate_file`,
			`off +check evosts_metadata +for want of onprem\.report\.listen, onprem\.report\.file or onprem\.ldap\.url`,
			`off +check configuration +for want of onprem\.report\.listen or onprem\.report\.file`,
			`off +check tls_offload +for want of checks\.tls_offload\.enabled: true`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.fault != "" {
				require.NoError(t, l.Set(c.fault, true))
				defer func() { require.NoError(t, l.Set(c.fault, false)) }()
			}
			p := start(t, "doctor", "--config.file="+c.config)
			<-p.exited
			assert.Equal(t, c.code, p.code, p.stdout)
			for _, line := range c.lines {
				assert.Regexp(t, regexp.MustCompile(line), p.stdout.String())
			}
		})
	}
}
