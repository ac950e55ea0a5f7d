package lab

import (
	"bytes"
	"fmt"
	"net/netip"
	"text/template"
	"time"

	"github.com/google/uuid"
)

// The estate's names. contoso.test is reserved for tests (RFC 6761, section
// 6.2).
const (
	domain           = "contoso.test"
	mailName         = "mail." + domain
	autodiscoverName = "autodiscover." + domain
	loginName        = "login." + domain
	// mobileName is a name of its own for ActiveSync, so that what stands in
	// front of it breaks by itself.
	mobileName = "mobile." + domain
	// microsoftName stands for Microsoft's services that need no sign-in.
	microsoftName = "microsoft." + domain
	caName        = "ca." + domain

	tenant  = "5de110f8-2e0f-4d45-891d-bcf2218e253d" // of DefaultTarget
	mailbox = "hmad-probe@" + domain
)

// tenantOf returns the GUID of the Entra tenant of a lab's target: each lab has
// one of its own, as hmad shares what Exchange Online allows a tenant among the
// tenant's targets.
func tenantOf(target string) string {
	if target == DefaultTarget {
		return tenant
	}
	return uuid.NewSHA1(uuid.NameSpaceDNS, []byte(target+"."+domain)).String()
}

// frontEnds are the Exchange servers' addresses; the names answer with the
// first.
var frontEnds = []netip.Addr{
	netip.AddrFrom4([4]byte{127, 0, 0, 1}),
	netip.AddrFrom4([4]byte{127, 0, 0, 2}),
	netip.AddrFrom4([4]byte{127, 0, 0, 3}),
}

// Facts are what a config needs to know of a lab.
type Facts struct {
	Target              string        // the config's name for this lab
	Checks              []string      // the checks that have a fault here
	Every               time.Duration // how often hmad looks
	Tenant              string        // the Entra tenant's GUID
	Mailbox             string        // the probe mailbox
	AutodiscoverHost    string        // host:port
	ActiveSyncURL       string        // its host is 127.0.0.1 in the lab's DNS
	OffloadURL          string        // ActiveSync by a name of its own
	Members             []string      // the other ActiveSync front ends, address:port
	OpenIDConfiguration string        // URL; {tenant} stands for the tenant's GUID
	Resolver            string        // the lab's DNS server, address:port, UDP and TCP
	CAFile              string        // the root certificate, PEM, an absolute path
	Control             string        // the control port's URL, without path

	FederationMetadata string   // URL
	AuthorityHost      string   // URL: where hmad gets its tokens
	ClientID           string   // hmad's application
	CertificateFile    string   // its certificate with key, PEM
	SecretFile         string   // its secret
	Hosts              []string // the servers that report
	EWS                string   // URL of Exchange Web Services
	AcceptanceID       string   // hmad's application without any permission, with the other's certificate
	GraphHost          string   // URL of Microsoft Graph
	OnlineHost         string   // URL of the admin API; empty: there is no Exchange Online
	Watched            []string // two of its mailboxes, the probe mailbox first
	Endpoints          string   // URL of the web service with Microsoft's addresses
	AllowListFile      string   // what the firewall lets through
	Microsoft          string   // URL of Microsoft's other services without sign-in
	Reports            string   // the folder that they report to; empty: they push
	Push               Push     // hmad's listener, where they push
}

// Push is hmad's listener for pushed reports.
type Push struct{ Listen, CertFile, KeyFile, TokenFile string }

func (f *Facts) learn(hosts map[string]*host) {
	eas := hosts["activesync"]
	f.AutodiscoverHost = hosts["autodiscover"].hostPort()
	f.ActiveSyncURL = "https://" + eas.hostPort() + activeSyncPath
	f.OffloadURL = "https://" + hosts["tls_offload"].hostPort() + activeSyncPath
	f.OpenIDConfiguration = "https://" + hosts["vantage"].hostPort() + "/{tenant}/v2.0/.well-known/openid-configuration"
	if h := hosts[onlineHost]; h != nil {
		f.OnlineHost = "https://" + h.hostPort()
		for _, name := range watchedNames {
			f.Watched = append(f.Watched, name+"@"+domain)
		}
	}
	f.Microsoft = "https://" + hosts[atMicrosoft].hostPort()
	f.Endpoints = f.Microsoft + endpointsPath
	f.EWS, f.AcceptanceID = "https://"+hosts[ewsHost].hostPort()+ewsPath, acceptanceID
	f.GraphHost = "https://" + hosts[graphHost].hostPort()
	f.AuthorityHost = "https://" + hosts["vantage"].hostPort() + "/"
	f.FederationMetadata = f.AuthorityHost + f.Tenant + "/federationmetadata/2007-06/federationmetadata.xml"
	for _, a := range eas.addrs[1:] {
		f.Members = append(f.Members, netip.AddrPortFrom(a, uint16(eas.port)).String())
	}
}

// Facts returns what a config needs to know of this lab.
func (l *Lab) Facts() Facts { return l.facts }

// Plan returns the schedule and the deadline of every check, as a config has
// them. The deadline is long: a busy machine answers late, and is no fault.
func (f Facts) Plan() string {
	return fmt.Sprintf("schedule: %q, timeout: %s", "@every "+f.Every.String(), f.Every*4/5)
}

// Config returns an hmad config, YAML, with a target for each of the labs, in
// their order, looked at often and from outside.
func Config(labs ...*Lab) []byte {
	var all []Facts
	for _, l := range labs {
		all = append(all, l.facts)
	}
	var b bytes.Buffer
	t := template.Must(template.New("config").Funcs(template.FuncMap{"quote": quote}).Parse(configText))
	if err := t.Execute(&b, all); err != nil {
		panic(err) // the template and its data are both ours
	}
	return b.Bytes()
}

// quote writes a string as a YAML double-quoted scalar.
func quote(s string) string { return fmt.Sprintf("%q", s) }

const configText = `# A hybrid estate on loopback: hmad's lab.
confirm_after: 200ms
targets:
{{- range .}}
  - name: {{quote .Target}}
    mailbox: {{quote .Mailbox}}
    tenant: {{quote .Tenant}}
    vantage: external
    autodiscover:
      host: {{quote .AutodiscoverHost}}
    activesync:
      url: {{quote .ActiveSyncURL}}
      members: [{{range $i, $m := .Members}}{{if $i}}, {{end}}{{quote $m}}{{end}}]
    entra:
      openid_configuration: {{quote .OpenIDConfiguration}}
    tls_offload:
      url: {{quote .OffloadURL}}
      every: 1ns # in earnest 1h, the default
    autodetect:
      ask: true
      url: {{quote (print .Microsoft "/autodetect/detect")}}
      every: 1ns # in earnest 1h, the default
    cloud_autodiscover:
      url: {{quote .Microsoft}}
      tenant_domain: contoso.onmicrosoft.test
    allow_list:
      file: {{quote .AllowListFile}}
      endpoints: {{quote .Endpoints}}
      every: 1ns # in earnest 1h, the default
    exchange_online:
      client_id: {{quote .ClientID}}
      certificate_file: {{quote .CertificateFile}}
      authority_host: {{quote .AuthorityHost}}
      disable_authority_check: true
{{- if .OnlineHost}}
      host: {{quote .OnlineHost}}
      rate: 50 # in earnest 2, the default
      concurrency: 8 # in earnest 4, the default
    sync:
      inventory: true
      ask_every: {{.Every}} # in earnest left out: once a day is enough to see who is stale
      watch:
        - {mailbox: {{quote (index .Watched 0)}}}
        - {mailbox: {{quote (index .Watched 1)}}, severity: critical}
{{- end}}
    token_acceptance:
      client_id: {{quote .AcceptanceID}}
      certificate_file: {{quote .CertificateFile}}
      authority_host: {{quote .AuthorityHost}}
      disable_authority_check: true
      url: {{quote .EWS}}
    graph:
      client_id: {{quote .ClientID}}
      certificate_file: {{quote .CertificateFile}}
      authority_host: {{quote .AuthorityHost}}
      disable_authority_check: true
      host: {{quote .GraphHost}}
      policies_every: 1ns # in earnest 1h, the default
      licences_every: 1ns # in earnest 24h, the default
    onprem:
      report:
        hosts: [{{range $i, $h := .Hosts}}{{if $i}}, {{end}}{{quote $h}}{{end}}]
{{- if .Reports}}
        file: {{quote .Reports}}
{{- else}}
        listen: {{quote .Push.Listen}}
        cert_file: {{quote .Push.CertFile}}
        key_file: {{quote .Push.KeyFile}}
        token_file: {{quote .Push.TokenFile}}
{{- end}}
    resolver: {{quote .Resolver}}
    ca_file: {{quote .CAFile}}
    checks:
{{- $plan := .Plan}}
{{- range .Checks}}
      {{.}}: {enabled: true, {{$plan}}}
{{- end}}
{{- end}}
`
