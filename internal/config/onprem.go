package config

import (
	"fmt"
	"time"
)

// OnPrem is how hmad learns about the Exchange servers: from the reports of a
// collector that runs on them, from the directory, or from both.
type OnPrem struct {
	Report Report `yaml:"report,omitempty"`
	LDAP   LDAP   `yaml:"ldap,omitempty"`
}

// Report is where the collector's reports arrive: pushed to a TLS listener, or as
// files in a folder. Both together are an error.
type Report struct {
	Listen       AddrPort `yaml:"listen,omitempty"`         // for the push
	CertFile     string   `yaml:"cert_file,omitempty"`      // of the listener, PEM
	KeyFile      string   `yaml:"key_file,omitempty"`       // of the listener, PEM
	TokenFile    string   `yaml:"token_file,omitempty"`     // the bearer token that pushes carry
	ClientCAFile string   `yaml:"client_ca_file,omitempty"` // roots of the client certificates that pushes carry
	Folder       string   `yaml:"file,omitempty"`           // a folder of reports, one file per host, or one file
	Hosts        []string `yaml:"hosts,omitempty"`          // Exchange servers that must report; none: whoever does
}

// ReportNeeds are the settings any of which makes a Report Configured.
const ReportNeeds = "onprem.report.listen or onprem.report.file"

// Configured reports whether reports arrive at all.
func (r Report) Configured() bool { return !r.Listen.IsZero() || r.Folder != "" }

// LDAP is how the auth server objects are read from a domain controller.
type LDAP struct {
	URL          LDAPURL `yaml:"url,omitempty"`     // ldaps://dc.contoso.com:636, or ldap:// for StartTLS
	BindDN       string  `yaml:"bind_dn,omitempty"` // the account that reads
	PasswordFile string  `yaml:"password_file,omitempty"`
	CAFile       string  `yaml:"ca_file,omitempty"` // PEM; empty: the system's roots
	BaseDN       string  `yaml:"base_dn,omitempty"` // the configuration partition; empty: the one that the root DSE names
}

// Metadata is how long Exchange may take to copy Microsoft's signing
// certificates.
type Metadata struct {
	URL          TenantURL     `yaml:"url,omitempty"`           // the federation metadata; empty: the auth server's own, or the tenant's
	Window       time.Duration `yaml:"window,omitempty"`        // default 8h, the guide's
	PageAfter    time.Duration `yaml:"page_after,omitempty"`    // default 13h
	OverdueAfter time.Duration `yaml:"overdue_after,omitempty"` // default 13h
}

func (t *Target) setOnPremDefaults() {
	setDuration(&t.Metadata.Window, 8*time.Hour)
	setDuration(&t.Metadata.PageAfter, 13*time.Hour)
	setDuration(&t.Metadata.OverdueAfter, 13*time.Hour)
	t.ExchangeOnline.setDefaults()
	t.Graph.setDefaults()
	t.TokenAcceptance.App.setDefaults()
}

func setDuration(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

func (t *Target) validateOnPrem(v validator) {
	t.OnPrem.Report.validate(v)
	t.OnPrem.LDAP.validate(v)
	m := t.Metadata
	v.read("metadata.url", m.URL, wantURL)
	if m.Window < 0 || m.PageAfter < m.Window {
		v.fail("metadata.page_after", "got %s, want at least the window, %s", m.PageAfter, m.Window)
	}
	if m.OverdueAfter < 0 {
		v.fail("metadata.overdue_after", "got %s, want a duration over 0", m.OverdueAfter)
	}
	t.ExchangeOnline.validate(v)
	t.Graph.validate(v)
	t.TokenAcceptance.validate(v, t.ExchangeOnline.App, t.Graph.App)
}

func (r Report) validate(v validator) {
	if !r.Listen.IsZero() {
		v.read("onprem.report.listen", r.Listen, "an address with port, such as 0.0.0.0:9751")
		v.want(r.CertFile != "" && r.KeyFile != "", "onprem.report.cert_file", r.CertFile, "cert_file and key_file with listen: reports are pushed over TLS")
		v.want(r.TokenFile != "" || r.ClientCAFile != "", "onprem.report.token_file", "", "token_file or client_ca_file with listen")
	}
	if !r.Listen.IsZero() && r.Folder != "" {
		v.fail("onprem.report.file", "got both listen and file, want one of them: reports are either pushed or files in a folder")
	}
	for i, h := range r.Hosts {
		v.want(isBareHost(h), fmt.Sprintf("onprem.report.hosts[%d]", i), h, "the name of an Exchange server")
	}
}

func (l LDAP) validate(v validator) {
	if l.URL.IsZero() {
		return
	}
	v.read("onprem.ldap.url", l.URL, wantLDAPURL)
	v.want(l.BindDN != "", "onprem.ldap.bind_dn", l.BindDN, "the account that reads")
	v.want(l.PasswordFile != "", "onprem.ldap.password_file", l.PasswordFile, "the file with its password")
}
