package report

import (
	"strings"

	"github.com/hmad/hmad/internal/powershell"
)

// OrganizationConfig is what of the organisation's settings concerns Modern
// Authentication.
type OrganizationConfig struct {
	Name                       string
	GUID                       string
	OAuth2ClientProfileEnabled bool
	// AuthAdminReadSession: servers of a child domain need it, or the AuthAdmin
	// job never starts.
	AuthAdminReadSession bool
}

// OrganizationConfig reads Get-OrganizationConfig.
func (r Report) OrganizationConfig() (OrganizationConfig, error) {
	return rowOf(r, SectionOrganization, func(w *powershell.Fields) OrganizationConfig {
		return OrganizationConfig{
			Name: w.Text("name"), GUID: w.Text("guid"),
			OAuth2ClientProfileEnabled: w.Flag("oAuth2ClientProfileEnabled"),
			AuthAdminReadSession:       w.Row.Has("enableAuthAdminReadSession") && w.Flag("enableAuthAdminReadSession"),
		}
	})
}

// Access levels of ActiveSync devices.
const (
	AccessAllow      = "Allow"
	AccessBlock      = "Block"
	AccessQuarantine = "Quarantine"
)

// ActiveSyncSettings are the organisation's.
type ActiveSyncSettings struct {
	DefaultAccessLevel string // AccessAllow, ...
}

// ActiveSyncSettings reads Get-ActiveSyncOrganizationSettings.
func (r Report) ActiveSyncSettings() (ActiveSyncSettings, error) {
	return rowOf(r, SectionActiveSync, func(w *powershell.Fields) ActiveSyncSettings {
		return ActiveSyncSettings{DefaultAccessLevel: w.NeedName("defaultAccessLevel")}
	})
}

// DeviceAccessRule allows, blocks or quarantines devices.
type DeviceAccessRule struct {
	Name           string
	Characteristic string // DeviceType, DeviceModel, DeviceOS, UserAgent, XMSWLHeader
	QueryString    string // compared exactly: no wildcards
	AccessLevel    string // AccessAllow, ...
}

// DeviceAccessRules reads Get-ActiveSyncDeviceAccessRule.
func (r Report) DeviceAccessRules() ([]DeviceAccessRule, error) {
	return rowsOf(r, SectionAccessRules, func(w *powershell.Fields) DeviceAccessRule {
		return DeviceAccessRule{
			Name: w.Text("name"), Characteristic: w.NeedName("characteristic"),
			QueryString: w.Need("queryString"), AccessLevel: w.NeedName("accessLevel"),
		}
	})
}

// TransportConfig holds the organisation's message size limits.
type TransportConfig struct {
	MaxSendSize, MaxReceiveSize powershell.Size
	powershell.Unread
}

// TransportConfig reads Get-TransportConfig.
func (r Report) TransportConfig() (TransportConfig, error) {
	return rowOf(r, SectionTransport, func(w *powershell.Fields) TransportConfig {
		return TransportConfig{MaxSendSize: powershell.Alone(w, "maxSendSize", w.Row.Size),
			MaxReceiveSize: powershell.Alone(w, "maxReceiveSize", w.Row.Size), Unread: w.Unread()}
	})
}

// HybridConfiguration is what the Hybrid Configuration Wizard left.
type HybridConfiguration struct {
	ServiceInstance int // 0 worldwide, 1 21Vianet; -1: not known
	Features        []string
	Domains         []string
	powershell.Unread
}

// HybridConfiguration reads Get-HybridConfiguration. The list is empty where
// the wizard never ran, and has one element otherwise.
func (r Report) HybridConfiguration() ([]HybridConfiguration, error) {
	return rowsOf(r, SectionHybrid, func(w *powershell.Fields) HybridConfiguration {
		h := HybridConfiguration{ServiceInstance: -1, Features: w.Names("features"), Domains: w.Texts("domains")}
		if w.Row.Has("serviceInstance") {
			h.ServiceInstance = int(powershell.Alone(w, "serviceInstance", w.Row.Int))
		}
		if h.Unread = w.Unread(); h.Lacks("serviceInstance") != nil {
			h.ServiceInstance = -1
		}
		return h
	})
}

// IntraOrganizationConnector is a way to the other half of a hybrid estate.
type IntraOrganizationConnector struct {
	Name              string
	Enabled           bool
	DomainNames       []string
	DiscoveryEndpoint string
	SharingURL        string // TargetSharingEpr
}

// IntraOrganizationConnectors reads Get-IntraOrganizationConnector.
func (r Report) IntraOrganizationConnectors() ([]IntraOrganizationConnector, error) {
	return rowsOf(r, SectionConnectors, func(w *powershell.Fields) IntraOrganizationConnector {
		return IntraOrganizationConnector{
			Name: w.Need("name"), Enabled: w.Flag("enabled"), DomainNames: w.Texts("targetAddressDomains"),
			DiscoveryEndpoint: w.Text("discoveryEndpoint"), SharingURL: w.Text("targetSharingEpr"),
		}
	})
}

// OrganizationRelationship is the older way of sharing with another
// organisation.
type OrganizationRelationship struct {
	Name            string
	Enabled         bool
	DomainNames     []string
	SharingURL      string // TargetSharingEpr
	AutodiscoverURL string // TargetAutodiscoverEpr
}

// OrganizationRelationships reads Get-OrganizationRelationship.
func (r Report) OrganizationRelationships() ([]OrganizationRelationship, error) {
	return rowsOf(r, SectionRelationships, func(w *powershell.Fields) OrganizationRelationship {
		return OrganizationRelationship{
			Name: w.Need("name"), Enabled: w.Flag("enabled"), DomainNames: w.Texts("domainNames"),
			SharingURL: w.Text("targetSharingEpr"), AutodiscoverURL: w.Text("targetAutodiscoverEpr"),
		}
	})
}

// MigrationEndpoint is where mailbox moves go; the Hybrid Agent shows in its
// host's name (msappproxy.net).
type MigrationEndpoint struct{ Name, Type, RemoteServer string }

// MigrationEndpoints reads Get-MigrationEndpoint. The section is missing where
// the collector's account has no right to the cmdlet.
func (r Report) MigrationEndpoints() ([]MigrationEndpoint, error) {
	return rowsOf(r, SectionMigrationEndpoints, func(w *powershell.Fields) MigrationEndpoint {
		return MigrationEndpoint{Name: w.Need("identity"), Type: w.Name("endpointType"), RemoteServer: w.Text("remoteServer")}
	})
}

// SettingOverride is a setting of Exchange changed by hand.
type SettingOverride struct {
	Name       string
	Component  string
	Section    string
	Parameters []string // "Enabled=true"
	Servers    []string // empty: all
}

// SettingOverrides reads Get-SettingOverride.
func (r Report) SettingOverrides() ([]SettingOverride, error) {
	return rowsOf(r, SectionOverrides, func(w *powershell.Fields) SettingOverride {
		return SettingOverride{
			Name: w.Need("name"), Component: w.Text("componentName"), Section: w.Text("sectionName"),
			Parameters: w.Texts("parameters"), Servers: w.Texts("server"),
		}
	})
}

// upper puts a thumbprint in its usual form.
func upper(thumbprint string) string { return strings.ToUpper(strings.ReplaceAll(thumbprint, " ", "")) }
