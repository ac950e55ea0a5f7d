package exchange

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
