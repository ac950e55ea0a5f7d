package directory

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/powershell"
	"github.com/hmad/hmad/internal/report"
)

// authServerFilter finds the objects by class, and by an attribute that each
// of them has in case the class is named otherwise. Both names are reported,
// not documented.
const authServerFilter = "(|(objectClass=msExchAuthAuthServer)(msExchAuthAuthServerType=*))"

// The attributes of an auth server object (reported, not documented).
// msExchAuthAppSecret is never asked for.
const (
	attrType        = "msExchAuthAuthServerType"
	attrFlags       = "msExchAuthFlags"
	attrIssuer      = "msExchAuthIssuerName"
	attrRealm       = "msExchAuthRealm"
	attrTokenURL    = "msExchAuthIssuingUrl"
	attrAuthURL     = "msExchAuthAuthorizationUrl"
	attrMetadataURL = "msExchAuthMetadataUrl"
	attrApplication = "msExchAuthApplicationIdentifier"
	attrCertificate = "msExchAuthCertificateData"
)

// The bits of msExchAuthFlags.
const (
	flagEnabled = 1 << 0
	flagDefault = 1 << 1
)

// authServers reads the objects below base, or below the partition that the
// root DSE names.
func (d *directory) authServers(base string) ([]report.AuthServer, error) {
	if base == "" {
		var err error
		if base, err = d.configurationPartition(); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(strings.ToLower(base), "cn=configuration,") {
		base = exchangeContainer + base
	}
	entries, err := d.search(base, ldap.ScopeWholeSubtree, authServerFilter, "cn", "whenChanged",
		attrType, attrFlags, attrIssuer, attrRealm, attrTokenURL, attrAuthURL, attrMetadataURL, attrApplication, attrCertificate)
	if err != nil {
		return nil, err
	}
	return readAuthServers(entries)
}

// configurationPartition asks the root DSE (RFC 4512, section 5.1;
// configurationNamingContext is Active Directory's own).
func (d *directory) configurationPartition() (string, error) {
	entries, err := d.search("", ldap.ScopeBaseObject, "(objectClass=*)", "configurationNamingContext")
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if dn := e.GetEqualFoldAttributeValue("configurationNamingContext"); dn != "" {
			return dn, nil
		}
	}
	return "", errors.New("it names no configuration partition: set base_dn")
}

// search asks once; an answer that is not whole is an error.
func (d *directory) search(base string, scope int, filter string, attributes ...string) ([]*ldap.Entry, error) {
	deadline, _ := d.ctx.Deadline()
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases,
		maxAuthServers, max(1, int(time.Until(deadline).Seconds())), false, filter, attributes, nil)
	req.EnforceSizeLimit = true
	found, err := d.ldap.Search(req)
	if err != nil {
		return nil, fmt.Errorf("search below %q: %w", check.Line(base, 300), d.cause(err))
	}
	if len(found.Referrals) > 0 {
		return nil, ldap.NewError(ldap.LDAPResultReferral, errors.New("part of the answer"))
	}
	return found.Entries, nil
}

// readAuthServers reads the objects. No object, or none with a certificate, is
// an error: a directory hides what an account may not read, so a missing right is
// more likely than an empty answer.
func readAuthServers(entries []*ldap.Entry) ([]report.AuthServer, error) {
	var servers []report.AuthServer
	certificates := 0
	for _, e := range entries {
		a, err := readAuthServer(e)
		if err != nil {
			return nil, err
		}
		servers = append(servers, a)
		certificates += len(a.Certificates)
	}
	slices.SortStableFunc(servers, func(a, b report.AuthServer) int { return strings.Compare(a.Name, b.Name) })
	switch {
	case len(servers) == 0:
		return nil, errors.New("there is no auth server object, or the account may not read it")
	case certificates == 0:
		return nil, fmt.Errorf("no auth server object shows a certificate: the account has no permission to read %s", attrCertificate)
	}
	return servers, nil
}

func readAuthServer(e *ldap.Entry) (report.AuthServer, error) {
	text := func(attr string) string { return check.Line(e.GetEqualFoldAttributeValue(attr), powershell.MaxText) }
	kind, errType := strconv.Atoi(text(attrType))
	flags, errFlags := strconv.Atoi(text(attrFlags))
	if errType != nil || errFlags != nil {
		return report.AuthServer{}, fmt.Errorf("%s: %s or %s is not readable", check.Line(e.DN, 300), attrType, attrFlags)
	}
	return report.AuthServer{
		Name: text("cn"), Type: authServerType(kind),
		Enabled: flags&flagEnabled != 0, Default: flags&flagDefault != 0,
		Issuer: text(attrIssuer), Realm: text(attrRealm),
		AuthorizationEndpoint: text(attrAuthURL), TokenEndpoint: text(attrTokenURL),
		MetadataURL: text(attrMetadataURL), ApplicationID: text(attrApplication),
		Certificates: e.GetEqualFoldRawAttributeValues(attrCertificate),
		WhenChanged:  generalizedTime(text("whenChanged")),
	}, nil
}

// authServerType names the numbers of msExchAuthAuthServerType (reported).
func authServerType(n int) string {
	names := []string{"Unknown", report.TypeMicrosoftACS, "Facebook", "LinkedIn", report.TypeADFS, report.TypeAzureAD}
	if n < 0 || n >= len(names) {
		return names[0]
	}
	return names[n]
}

// generalizedTime reads Active Directory's form of it (RFC 4517, section
// 3.3.13), "20261122091500.0Z"; the zero time where it is another.
func generalizedTime(s string) time.Time {
	whole, _, fraction := strings.Cut(s, ".")
	if fraction {
		whole += "Z"
	}
	t, err := time.Parse("20060102150405Z", whole)
	if err != nil {
		return time.Time{}
	}
	return t
}
