package report

import (
	"errors"
	"slices"
	"strings"

	"github.com/hmad/hmad/internal/powershell"
)

// ExchangeServer is one server of the organisation.
type ExchangeServer struct {
	Name    string
	FQDN    string
	Version string // AdminDisplayVersion: "Version 15.2 (Build 1748.10)", cumulative update only
	Edition string
	Roles   []string // Mailbox, ClientAccess, Edge, ...
	Site    string
	Proxy   string // InternetWebProxy: the way to Microsoft's metadata; empty: none
}

// ExchangeServers reads Get-ExchangeServer: all servers of the organisation.
func (r Report) ExchangeServers() ([]ExchangeServer, error) {
	return rowsOf(r, SectionServers, func(w *powershell.Fields) ExchangeServer {
		return ExchangeServer{
			Name: w.Need("name"), FQDN: w.Text("fqdn"), Version: w.Need("adminDisplayVersion"), Edition: w.Name("edition"),
			Roles: w.Names("serverRole"), Site: w.Text("site"), Proxy: w.Text("internetWebProxy"),
		}
	})
}

// The kinds of virtual directory that a report shows.
const (
	KindActiveSync   = "ActiveSync"
	KindMapi         = "Mapi"
	KindWebServices  = "WebServices"
	KindOAB          = "OAB"
	KindAutodiscover = "Autodiscover"
)

// VirtualDirectory is a front-end directory of IIS as Exchange configures it.
type VirtualDirectory struct {
	Kind               string // KindActiveSync, ...
	Server             string
	Name               string
	InternalURL        string
	ExternalURL        string
	InternalAuth       []string // authentication methods: OAuth, Basic, Ntlm, ...
	ExternalAuth       []string
	IISAuth            []string // Mapi, Autodiscover and OAB where Exchange shows them
	ExtendedProtection string   // None, Allow, Require
}

// VirtualDirectories reads Get-ActiveSyncVirtualDirectory and its kin for
// Mapi, WebServices, OAB and Autodiscover, of all servers.
func (r Report) VirtualDirectories() ([]VirtualDirectory, error) {
	return rowsOf(r, SectionDirectories, func(w *powershell.Fields) VirtualDirectory {
		return VirtualDirectory{
			Kind: w.Need("kind"), Server: w.Need("server"), Name: w.Text("name"),
			InternalURL: w.Text("internalUrl"), ExternalURL: w.Text("externalUrl"),
			InternalAuth: w.Names("internalAuthenticationMethods"), ExternalAuth: w.Names("externalAuthenticationMethods"),
			IISAuth: w.Names("iisAuthenticationMethods"), ExtendedProtection: w.Name("extendedProtectionTokenChecking"),
		}
	})
}

// LocalServer is what the collector found on the server that it ran on.
type LocalServer struct {
	InstallPath string
	Build       string // file version of ExSetup.exe, security updates included: "15.02.1748.039"
}

// LocalServer reads the reporting server's own build.
func (r Report) LocalServer() (LocalServer, error) {
	return rowOf(r, SectionLocalServer, func(w *powershell.Fields) LocalServer {
		return LocalServer{InstallPath: w.Text("installPath"), Build: w.Need("build")}
	})
}

// WebConfig is what of the reporting server's front-end configuration of
// ActiveSync concerns large messages.
type WebConfig struct {
	Path             string
	MaxRequestLength int // KB (system.web/httpRuntime/@maxRequestLength)
	powershell.Unread
}

// WebConfig reads FrontEnd\HttpProxy\Sync\web.config of the reporting server.
func (r Report) WebConfig() (WebConfig, error) {
	return rowOf(r, SectionWebConfig, func(w *powershell.Fields) WebConfig {
		return WebConfig{Path: w.Text("path"), MaxRequestLength: int(powershell.Alone(w, "maxRequestLength", w.Row.Int)), Unread: w.Unread()}
	})
}

// IIS is how the reporting server's front-end ActiveSync directory wants TLS.
type IIS struct {
	Location string   // whose setting is in force: "Default Web Site/Microsoft-Server-ActiveSync"
	SSLFlags []string // None, Ssl, Ssl128, SslNegotiateCert, ...; without Ssl, plain HTTP is accepted
}

// RequiresTLS reports whether plain HTTP is refused: the flag Ssl is set.
func (i IIS) RequiresTLS() bool { return i.has("Ssl") }

// RequiresClientCertificate reports whether a client without a certificate is
// refused (403.7).
func (i IIS) RequiresClientCertificate() bool { return i.has("SslRequireCert") }

// AsksForClientCertificate reports whether a client is asked for a certificate,
// and may have none.
func (i IIS) AsksForClientCertificate() bool { return i.has("SslNegotiateCert") }

func (i IIS) has(flag string) bool {
	return slices.ContainsFunc(i.SSLFlags, func(f string) bool { return strings.EqualFold(f, flag) })
}

// IIS reads system.webServer/security/access/@sslFlags of the reporting server.
func (r Report) IIS() (IIS, error) {
	return rowOf(r, SectionIIS, func(w *powershell.Fields) IIS {
		i := IIS{Location: w.Text("location"), SSLFlags: w.Texts("sslFlags")}
		if len(i.SSLFlags) == 0 {
			w.Fail("sslFlags", errors.New("missing"))
		}
		return i
	})
}
