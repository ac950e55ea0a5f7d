package report

import (
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
)

// The types of auth server that matter here, as Get-AuthServer has them. Only
// AzureAD carries hybrid Modern Authentication.
const (
	TypeAzureAD      = "AzureAD"
	TypeMicrosoftACS = "MicrosoftACS"
	TypeADFS         = "ADFS"
)

// AuthServer is an issuer of tokens that Exchange trusts, as Get-AuthServer or
// the directory shows it.
type AuthServer struct {
	Name                  string // "EvoSts - {GUID}", or what an admin called it: not an identity
	Type                  string // TypeAzureAD, ...
	Enabled               bool
	Default               bool   // IsDefaultAuthorizationEndpoint: phones are sent there
	Issuer                string // https://sts.windows.net/{tenant}/
	Realm                 string // the tenant
	AuthorizationEndpoint string
	TokenEndpoint         string
	MetadataURL           string
	ApplicationID         string   // of a dedicated hybrid app, else empty
	DomainNames           []string // empty where the directory is the source
	Certificates          [][]byte // the stored signing certificates, DER
	WhenChanged           time.Time
}

// AuthServers reads Get-AuthServer. That there are some and none shows a
// certificate is taken for a missing right, as where the directory is read.
func (r Report) AuthServers() ([]AuthServer, error) {
	all, err := rowsOf(r, SectionAuthServers, func(w *powershell.Fields) AuthServer {
		return AuthServer{
			Name: w.Need("name"), Type: w.NeedName("type"),
			Enabled: w.Flag("enabled"), Default: w.Flag("isDefaultAuthorizationEndpoint"),
			Issuer: w.Text("issuerIdentifier"), Realm: w.Text("realm"),
			AuthorizationEndpoint: w.Text("authorizationEndpoint"), TokenEndpoint: w.Text("tokenIssuingEndpoint"),
			MetadataURL: w.Text("authMetadataUrl"), ApplicationID: w.Text("applicationIdentifier"),
			DomainNames: w.Texts("domainName"), Certificates: w.DER("certificateStrings"),
			WhenChanged: powershell.Alone(w, "whenChanged", w.Row.Time),
		}
	})
	filled := func(a AuthServer) bool { return len(a.Certificates) > 0 }
	if err == nil && len(all) > 0 && !slices.ContainsFunc(all, filled) {
		return nil, check.Errorf(check.ReportInput, "%s: section %s: no auth server shows a certificate", r.Host, SectionAuthServers)
	}
	return all, err
}

// OfTenant returns the auth servers of the tenant, sorted by name: by type and
// realm, for an admin may have called them anything.
func OfTenant(all []AuthServer, tenant string) []AuthServer {
	var own []AuthServer
	for _, a := range all {
		if strings.EqualFold(a.Type, TypeAzureAD) && strings.EqualFold(strings.TrimSpace(a.Realm), tenant) {
			own = append(own, a)
		}
	}
	slices.SortStableFunc(own, func(a, b AuthServer) int { return strings.Compare(a.Name, b.Name) })
	return own
}

// AuthConfig names the certificate by which Exchange itself signs.
type AuthConfig struct {
	CurrentThumbprint  string // SHA-1, upper-case hex; empty: none
	NextThumbprint     string
	PreviousThumbprint string
	NextEffective      time.Time // when Next becomes Current; zero: not planned
	ServiceName        string
	Realm              string
	powershell.Unread
}

// AuthConfig reads Get-AuthConfig.
func (r Report) AuthConfig() (AuthConfig, error) {
	return rowOf(r, SectionAuthConfig, func(w *powershell.Fields) AuthConfig {
		w.Named("currentCertificateThumbprint") // null says that there is none
		return AuthConfig{
			CurrentThumbprint: upper(w.Text("currentCertificateThumbprint")), NextThumbprint: upper(w.Text("nextCertificateThumbprint")),
			PreviousThumbprint: upper(w.Text("previousCertificateThumbprint")), NextEffective: powershell.Alone(w, "nextCertificateEffectiveDate", w.Row.Time),
			ServiceName: w.Text("serviceName"), Realm: w.Text("realm"), Unread: w.Unread(),
		}
	})
}

// ExchangeCertificate is one of a server's own certificates.
type ExchangeCertificate struct {
	Server        string
	Thumbprint    string // SHA-1, upper-case hex
	Subject       string
	NotBefore     time.Time
	NotAfter      time.Time
	Services      []string
	HasPrivateKey bool
	powershell.Unread
}

// ExchangeCertificates reads Get-ExchangeCertificate of the reporting server:
// those certificates that AuthConfig names.
func (r Report) ExchangeCertificates() ([]ExchangeCertificate, error) {
	return rowsOf(r, SectionCertificates, func(w *powershell.Fields) ExchangeCertificate {
		return ExchangeCertificate{
			Server: w.Need("server"), Thumbprint: upper(w.Need("thumbprint")), Subject: w.Text("subject"),
			NotBefore: powershell.Alone(w, "notBefore", w.Row.Time), NotAfter: powershell.Alone(w, "notAfter", w.Row.NeedTime),
			Services: w.Names("services"), HasPrivateKey: w.Flag("hasPrivateKey"), Unread: w.Unread(),
		}
	})
}

// RefreshCapability is that of the arbitration mailbox whose active database
// copy decides which server runs the AuthAdmin job.
const RefreshCapability = "OrganizationCapabilityManagement"

// ArbitrationMailbox is a system mailbox.
type ArbitrationMailbox struct {
	Name         string
	Database     string
	Capabilities []string // PersistedCapabilities: RefreshCapability, ...
}

// Arbitration reads Get-Mailbox -Arbitration: those mailboxes whose
// capabilities name RefreshCapability.
func (r Report) Arbitration() ([]ArbitrationMailbox, error) {
	return rowsOf(r, SectionArbitration, func(w *powershell.Fields) ArbitrationMailbox {
		return ArbitrationMailbox{Name: w.Need("name"), Database: w.Text("database"), Capabilities: w.Names("persistedCapabilities")}
	})
}

// Mounted is the status of a database's active copy.
const Mounted = "Mounted"

// DatabaseCopy is a copy of an arbitration mailbox's database.
type DatabaseCopy struct {
	Name     string // database\server
	Database string
	Server   string
	Status   string // Mounted on the server that runs the AuthAdmin job; Healthy and others elsewhere
}

// DatabaseCopies reads Get-MailboxDatabaseCopyStatus of the databases that
// Arbitration names.
func (r Report) DatabaseCopies() ([]DatabaseCopy, error) {
	return rowsOf(r, SectionDatabaseCopies, func(w *powershell.Fields) DatabaseCopy {
		return DatabaseCopy{Name: w.Text("name"), Database: w.Need("databaseName"), Server: w.Need("mailboxServer"), Status: w.NeedName("status")}
	})
}
