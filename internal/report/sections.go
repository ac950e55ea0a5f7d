package report

import "errors"

// The sections of a report, as its JSON names them.
const (
	SectionAuthServers        = "authServers"
	SectionArbitration        = "arbitration"
	SectionDatabaseCopies     = "databaseCopies"
	SectionOrganization       = "organizationConfig"
	SectionActiveSync         = "activeSyncSettings"
	SectionAccessRules        = "deviceAccessRules"
	SectionDirectories        = "virtualDirectories"
	SectionServers            = "exchangeServers"
	SectionTransport          = "transportConfig"
	SectionAuthConfig         = "authConfig"
	SectionCertificates       = "exchangeCertificates"
	SectionHybrid             = "hybridConfiguration"
	SectionConnectors         = "intraOrganizationConnectors"
	SectionRelationships      = "organizationRelationships"
	SectionMigrationEndpoints = "migrationEndpoints"
	SectionOverrides          = "settingOverrides"
	SectionPartnerships       = "partnerships"
	SectionAuthAdminEvents    = "authAdminEvents"
	SectionOAuthEvents        = "oauthEvents"
	SectionLocalServer        = "localServer"
	SectionWebConfig          = "webConfig"
	SectionIIS                = "iis"
	SectionFrontEnd           = "frontEndRequests"
	SectionAutoDetect         = "autodetectVisits"
)

// part is a section that this hmad reads.
type part struct {
	name string
	// optional: the collector leaves it out on purpose where a cmdlet is not
	// there in every version or role group, or where it is not set up.
	optional bool
	read     func(Report) (any, error)
}

// parts lists every section, in the order in which the collector writes them.
func parts() []part {
	return []part{
		{SectionAuthServers, false, erased(Report.AuthServers)},
		{SectionArbitration, false, erased(Report.Arbitration)},
		{SectionDatabaseCopies, false, erased(Report.DatabaseCopies)},
		{SectionOrganization, false, erased(Report.OrganizationConfig)},
		{SectionActiveSync, false, erased(Report.ActiveSyncSettings)},
		{SectionAccessRules, false, erased(Report.DeviceAccessRules)},
		{SectionDirectories, false, erased(Report.VirtualDirectories)},
		{SectionServers, false, erased(Report.ExchangeServers)},
		{SectionTransport, false, erased(Report.TransportConfig)},
		{SectionAuthConfig, false, erased(Report.AuthConfig)},
		{SectionCertificates, false, erased(Report.ExchangeCertificates)},
		{SectionHybrid, false, erased(Report.HybridConfiguration)},
		{SectionConnectors, false, erased(Report.IntraOrganizationConnectors)},
		{SectionRelationships, false, erased(Report.OrganizationRelationships)},
		{SectionMigrationEndpoints, true, erased(Report.MigrationEndpoints)},
		{SectionOverrides, true, erased(Report.SettingOverrides)},
		{SectionPartnerships, true, erased(Report.Partnerships)},
		{SectionAuthAdminEvents, false, erased(Report.AuthAdminEvents)},
		{SectionOAuthEvents, false, erased(Report.OAuthEvents)},
		{SectionLocalServer, false, erased(Report.LocalServer)},
		{SectionWebConfig, false, erased(Report.WebConfig)},
		{SectionIIS, false, erased(Report.IIS)},
		{SectionFrontEnd, true, erased(Report.FrontEndRequests)},
		{SectionAutoDetect, true, erased(Report.AutoDetectVisits)},
	}
}

// erased hides the type of what a method of Report reads.
func erased[T any](read func(Report) (T, error)) func(Report) (any, error) {
	return func(r Report) (any, error) { return read(r) }
}

// SectionNames returns the sections that this hmad reads, in the order in which
// the collector writes them.
func SectionNames() []string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// Unreadable returns every section that is missing or cannot be read, by name
// with an error of class report that names host and section. Sections that the
// collector leaves out on purpose may be missing.
func (r Report) Unreadable() map[string]error {
	bad := map[string]error{}
	for _, p := range parts() {
		_, err := p.read(r)
		if err == nil || p.optional && errors.Is(err, ErrMissing) {
			continue
		}
		bad[p.name] = err
	}
	return bad
}
