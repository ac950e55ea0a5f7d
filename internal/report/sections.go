package report

import "errors"

// The sections of a report, as its JSON names them.
const (
	sectionAuthServers        = "authServers"
	sectionArbitration        = "arbitration"
	sectionDatabaseCopies     = "databaseCopies"
	sectionOrganization       = "organizationConfig"
	sectionActiveSync         = "activeSyncSettings"
	sectionAccessRules        = "deviceAccessRules"
	sectionDirectories        = "virtualDirectories"
	sectionServers            = "exchangeServers"
	sectionTransport          = "transportConfig"
	sectionAuthConfig         = "authConfig"
	sectionCertificates       = "exchangeCertificates"
	sectionHybrid             = "hybridConfiguration"
	sectionConnectors         = "intraOrganizationConnectors"
	sectionRelationships      = "organizationRelationships"
	sectionMigrationEndpoints = "migrationEndpoints"
	sectionOverrides          = "settingOverrides"
	sectionAuthAdminEvents    = "authAdminEvents"
	sectionOAuthEvents        = "oauthEvents"
	sectionLocalServer        = "localServer"
	sectionWebConfig          = "webConfig"
	sectionIIS                = "iis"
)

// SectionNames lists the sections that this hmad reads, in the order in which
// the collector writes them.
func SectionNames() []string {
	return []string{
		sectionAuthServers, sectionArbitration, sectionDatabaseCopies,
		sectionOrganization, sectionActiveSync, sectionAccessRules, sectionDirectories,
		sectionServers, sectionTransport, sectionAuthConfig, sectionCertificates,
		sectionHybrid, sectionConnectors, sectionRelationships, sectionMigrationEndpoints, sectionOverrides, sectionPartnerships,
		sectionAuthAdminEvents, sectionOAuthEvents, sectionLocalServer, sectionWebConfig, sectionIIS, sectionFrontEnd,
	}
}

// Unreadable gives every section that is missing or cannot be read, by name
// with an error of class report that names host and section. A section that the
// collector leaves out on purpose may be missing: of cmdlets that not every
// version and role group has, and of what is not set up.
func (r Report) Unreadable() map[string]error {
	bad := map[string]error{}
	for _, name := range SectionNames() {
		err := r.try(name)
		if err == nil || optional(name) && errors.Is(err, ErrMissing) {
			continue
		}
		bad[name] = err
	}
	return bad
}

func optional(section string) bool {
	switch section {
	case sectionMigrationEndpoints, sectionOverrides, sectionPartnerships, sectionFrontEnd:
		return true
	default:
		return false
	}
}

// try reads a section and drops what it holds.
func (r Report) try(section string) (err error) {
	switch section {
	case sectionAuthServers:
		_, err = r.AuthServers()
	case sectionArbitration:
		_, err = r.Arbitration()
	case sectionDatabaseCopies:
		_, err = r.DatabaseCopies()
	case sectionOrganization:
		_, err = r.OrganizationConfig()
	case sectionActiveSync:
		_, err = r.ActiveSyncSettings()
	case sectionAccessRules:
		_, err = r.DeviceAccessRules()
	case sectionDirectories:
		_, err = r.VirtualDirectories()
	case sectionServers:
		_, err = r.ExchangeServers()
	case sectionTransport:
		_, err = r.TransportConfig()
	case sectionAuthConfig:
		_, err = r.AuthConfig()
	case sectionCertificates:
		_, err = r.ExchangeCertificates()
	case sectionHybrid:
		_, err = r.HybridConfiguration()
	case sectionConnectors:
		_, err = r.IntraOrganizationConnectors()
	case sectionRelationships:
		_, err = r.OrganizationRelationships()
	case sectionMigrationEndpoints:
		_, err = r.MigrationEndpoints()
	case sectionOverrides:
		_, err = r.SettingOverrides()
	case sectionPartnerships:
		_, err = r.Partnerships()
	case sectionAuthAdminEvents:
		_, err = r.AuthAdminEvents()
	case sectionOAuthEvents:
		_, err = r.OAuthEvents()
	case sectionLocalServer:
		_, err = r.LocalServer()
	case sectionWebConfig:
		_, err = r.WebConfig()
	case sectionIIS:
		_, err = r.IIS()
	case sectionFrontEnd:
		_, err = r.FrontEndRequests()
	}
	return err
}
