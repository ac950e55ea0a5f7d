package exchange

import "strings"

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
	return rowOf(r, sectionOrganization, func(w *row) OrganizationConfig {
		return OrganizationConfig{
			Name: w.text("name"), GUID: w.text("guid"),
			OAuth2ClientProfileEnabled: w.flag("oAuth2ClientProfileEnabled"),
			AuthAdminReadSession:       w.get("enableAuthAdminReadSession") != nil && w.flag("enableAuthAdminReadSession"),
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
	return rowOf(r, sectionActiveSync, func(w *row) ActiveSyncSettings {
		return ActiveSyncSettings{DefaultAccessLevel: w.need("defaultAccessLevel")}
	})
}

// DeviceAccessRule lets in or keeps out devices.
type DeviceAccessRule struct {
	Name           string
	Characteristic string // DeviceType, DeviceModel, DeviceOS, UserAgent, XMSWLHeader
	QueryString    string // compared exactly: no wildcards
	AccessLevel    string // AccessAllow, ...
}

// DeviceAccessRules reads Get-ActiveSyncDeviceAccessRule.
func (r Report) DeviceAccessRules() ([]DeviceAccessRule, error) {
	return rowsOf(r, sectionAccessRules, func(w *row) DeviceAccessRule {
		return DeviceAccessRule{
			Name: w.text("name"), Characteristic: w.need("characteristic"),
			QueryString: w.need("queryString"), AccessLevel: w.need("accessLevel"),
		}
	})
}

// TransportConfig holds the organisation's message size limits.
type TransportConfig struct{ MaxSendSize, MaxReceiveSize Size }

// TransportConfig reads Get-TransportConfig.
func (r Report) TransportConfig() (TransportConfig, error) {
	return rowOf(r, sectionTransport, func(w *row) TransportConfig {
		return TransportConfig{MaxSendSize: w.size("maxSendSize"), MaxReceiveSize: w.size("maxReceiveSize")}
	})
}

// HybridConfiguration is what the Hybrid Configuration Wizard left.
type HybridConfiguration struct {
	ServiceInstance int // 0 worldwide, 1 21Vianet; -1: not told
	Features        []string
	Domains         []string
}

// HybridConfiguration reads Get-HybridConfiguration. The list is empty where
// the wizard never ran, and has one element otherwise.
func (r Report) HybridConfiguration() ([]HybridConfiguration, error) {
	return rowsOf(r, sectionHybrid, func(w *row) HybridConfiguration {
		h := HybridConfiguration{ServiceInstance: -1, Features: w.texts("features"), Domains: w.texts("domains")}
		if w.get("serviceInstance") != nil {
			h.ServiceInstance = w.number("serviceInstance")
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
	return rowsOf(r, sectionConnectors, func(w *row) IntraOrganizationConnector {
		return IntraOrganizationConnector{
			Name: w.need("name"), Enabled: w.flag("enabled"), DomainNames: w.texts("targetAddressDomains"),
			DiscoveryEndpoint: w.text("discoveryEndpoint"), SharingURL: w.text("targetSharingEpr"),
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
	return rowsOf(r, sectionRelationships, func(w *row) OrganizationRelationship {
		return OrganizationRelationship{
			Name: w.need("name"), Enabled: w.flag("enabled"), DomainNames: w.texts("domainNames"),
			SharingURL: w.text("targetSharingEpr"), AutodiscoverURL: w.text("targetAutodiscoverEpr"),
		}
	})
}

// MigrationEndpoint is where mailbox moves go; the Hybrid Agent shows in its
// host's name (msappproxy.net).
type MigrationEndpoint struct{ Name, Type, RemoteServer string }

// MigrationEndpoints reads Get-MigrationEndpoint. The section is missing where
// the collector's account has no right to the cmdlet.
func (r Report) MigrationEndpoints() ([]MigrationEndpoint, error) {
	return rowsOf(r, sectionMigrationEndpoints, func(w *row) MigrationEndpoint {
		return MigrationEndpoint{Name: w.need("identity"), Type: w.text("endpointType"), RemoteServer: w.text("remoteServer")}
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
	return rowsOf(r, sectionOverrides, func(w *row) SettingOverride {
		return SettingOverride{
			Name: w.need("name"), Component: w.text("componentName"), Section: w.text("sectionName"),
			Parameters: w.texts("parameters"), Servers: w.texts("server"),
		}
	})
}

// upper puts a thumbprint in its usual form.
func upper(thumbprint string) string { return strings.ToUpper(strings.ReplaceAll(thumbprint, " ", "")) }
