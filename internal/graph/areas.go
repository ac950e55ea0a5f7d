package graph

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"
)

// Area is one kind of thing that Graph is asked for, with the application
// permission that it needs (learn.microsoft.com, the page of each call).
type Area struct {
	Name       string // as in metrics
	Title      string // for people
	Permission string // of Microsoft Graph, with admin consent
	Lost       string // what is not judged without it
}

// The areas.
var (
	Principals = &Area{"principal", "the service principal of Exchange Online", "Application.Read.All",
		"service principal names, and whether Exchange's principal is enabled"}
	Organizations     = &Area{"organization", "the organization", "Organization.Read.All", "Entra Connect's age, and the verified domains"}
	ConditionalAccess = &Area{"conditional_access", "the policies of conditional access", "Policy.Read.All", "the guide's policies of conditional access"}
	AppProtection     = &Area{"app_protection", "Intune's app protection policies", "DeviceManagementApps.Read.All", "app protection for iOS and Android"}
	Licences          = &Area{"licences", "the licences of users", "User.Read.All", "licences of the probe mailbox and of the watched users"}
)

// Areas lists every area.
var Areas = []*Area{Principals, Organizations, ConditionalAccess, AppProtection, Licences}

// ExchangeOnline is the application id of Office 365 Exchange Online, whose
// service principal has the names of the mail hosts.
const ExchangeOnline = "00000002-0000-0ff1-ce00-000000000000"

// ByHand returns the questions of every area as somebody asks them in PowerShell,
// with the module Microsoft.Graph.Authentication (learn.microsoft.com,
// «Invoke-MgGraphRequest»).
func ByHand() []string {
	var scopes []string
	for _, a := range Areas {
		scopes = append(scopes, a.Permission)
	}
	commands := []string{"Connect-MgGraph -Scopes '" + strings.Join(scopes, "','") + "'",
		"Invoke-MgGraphRequest -Uri \"v1.0/servicePrincipals(appId='" + ExchangeOnline + "')\" | % servicePrincipalNames"}
	for _, list := range []string{"organization", "identity/conditionalAccess/policies", "deviceAppManagement/iosManagedAppProtections",
		"deviceAppManagement/androidManagedAppProtections", "users/<address>/licenseDetails"} {
		commands = append(commands, "Invoke-MgGraphRequest -Uri 'v1.0/"+list+"' | % value")
	}
	return commands
}

// Principal is a service principal.
type Principal struct {
	Enabled *bool    `json:"accountEnabled"`
	Names   []string `json:"servicePrincipalNames"`
}

// Principal returns Exchange Online's service principal. The error for a tenant
// without one is ErrNotThere.
func (c *Client) Principal(ctx context.Context) (Principal, error) {
	body, err := c.get(ctx, Principals, c.at("/servicePrincipals(appId='"+ExchangeOnline+"')",
		url.Values{"$select": {"appId,accountEnabled,servicePrincipalNames"}}))
	if err != nil {
		return Principal{}, err
	}
	return readPrincipal(body)
}

func readPrincipal(body []byte) (Principal, error) {
	var p struct {
		Principal
		AppID string `json:"appId"`
	}
	if json.Unmarshal(body, &p) != nil || !strings.EqualFold(p.AppID, ExchangeOnline) || p.Names == nil || p.Enabled == nil {
		return Principal{}, errForm(Principals, "is no service principal of Exchange Online, or is incomplete")
	}
	return p.Principal, nil
}

// Organization is the tenant as a whole.
type Organization struct {
	ID       string
	SyncOn   bool      // directory synchronisation is on
	LastSync time.Time // of Entra Connect; zero: never
	Domains  []string  // verified
}

// Organization returns the tenant as a whole.
func (c *Client) Organization(ctx context.Context) (Organization, error) {
	body, err := c.get(ctx, Organizations, c.at("/organization",
		url.Values{"$select": {"id,onPremisesSyncEnabled,onPremisesLastSyncDateTime,verifiedDomains"}}))
	if err != nil {
		return Organization{}, err
	}
	return readOrganization(body)
}

type wireOrganization struct {
	ID       string          `json:"id"`
	SyncOn   json.RawMessage `json:"onPremisesSyncEnabled"` // true, false, or null: it was never on
	LastSync *time.Time      `json:"onPremisesLastSyncDateTime"`
	Domains  []struct {
		Name string `json:"name"`
	} `json:"verifiedDomains"`
}

func readOrganization(body []byte) (Organization, error) {
	p, err := readPage[wireOrganization](Organizations, body)
	if err != nil {
		return Organization{}, err
	}
	if len(*p.Value) != 1 || (*p.Value)[0].SyncOn == nil || len((*p.Value)[0].Domains) == 0 {
		return Organization{}, errForm(Organizations, "is no single organization, or is incomplete")
	}
	w := (*p.Value)[0]
	o := Organization{ID: w.ID, SyncOn: string(w.SyncOn) == "true"}
	if w.LastSync != nil {
		o.LastSync = *w.LastSync
	}
	for _, d := range w.Domains {
		o.Domains = append(o.Domains, d.Name)
	}
	return o, nil
}

// Policy is a policy of conditional access, as far as it is judged
// (learn.microsoft.com, «conditionalAccessPolicy resource type»).
type Policy struct {
	Name       string `json:"displayName"`
	State      string `json:"state"` // enabled, disabled, enabledForReportingButNotEnforced
	Conditions struct {
		Clients      []string `json:"clientAppTypes"`
		Applications struct {
			Include []string `json:"includeApplications"`
		} `json:"applications"`
		Platforms *struct {
			Include []string `json:"includePlatforms"`
		} `json:"platforms"` // null: any
	} `json:"conditions"`
	Grant *struct {
		Operator string   `json:"operator"` // AND or OR
		Controls []string `json:"builtInControls"`
	} `json:"grantControls"` // null: none
}

// Policies returns the tenant's policies of conditional access.
func (c *Client) Policies(ctx context.Context) ([]Policy, error) {
	all, err := list[Policy](ctx, c, ConditionalAccess, "/identity/conditionalAccess/policies",
		url.Values{"$select": {"id,displayName,state,conditions,grantControls"}})
	for _, p := range all {
		if p.State == "" {
			return nil, errForm(ConditionalAccess, "has a policy without a state")
		}
	}
	return all, err
}

// Protection is an app protection policy of Intune (learn.microsoft.com,
// «iosManagedAppProtection resource type» and «androidManagedAppProtection»).
type Protection struct {
	Name       string `json:"displayName"`
	Group      string `json:"appGroupType"` // selectedPublicApps, allCoreMicrosoftApps, allMicrosoftApps, allApps
	PIN        *bool  `json:"pinRequired"`
	Compliance *bool  `json:"deviceComplianceRequired"` // of devices that are rooted or jailbroken
	Encryption string `json:"appDataEncryptionType"`    // iOS
	Encrypt    *bool  `json:"encryptAppData"`           // Android
	Assigned   *bool  `json:"isAssigned"`
	Apps       []struct {
		Identifier struct {
			Bundle  string `json:"bundleId"`
			Package string `json:"packageId"`
		} `json:"mobileAppIdentifier"`
	} `json:"apps"`
	Assignments []struct {
		ID string `json:"id"`
	} `json:"assignments"`
}

// The platforms of app protection.
const (
	IOS     = "ios"
	Android = "android"
)

// Protections returns the app protection policies of a platform.
func (c *Client) Protections(ctx context.Context, platform string) ([]Protection, error) {
	encryption := map[string]string{IOS: "appDataEncryptionType", Android: "encryptAppData"}[platform]
	all, err := list[Protection](ctx, c, AppProtection, "/deviceAppManagement/"+platform+"ManagedAppProtections", url.Values{
		"$select": {"id,displayName,appGroupType,pinRequired,deviceComplianceRequired,isAssigned," + encryption}, "$expand": {"apps,assignments"}})
	for _, p := range all {
		if p.PIN == nil || p.Compliance == nil || p.Encrypt == nil && p.Encryption == "" {
			return nil, errForm(AppProtection, "has a policy that is incomplete")
		}
	}
	return all, err
}

// Plan is a service plan of a user's licences.
type Plan struct {
	ID     string `json:"servicePlanId"`
	Status string `json:"provisioningStatus"` // Success, Disabled, PendingActivation, PendingInput, ...
}

// Licences returns the service plans of a user, by the sign-in name or else the
// mail address. The error for a user that the tenant does not have is ErrNotThere.
func (c *Client) Licences(ctx context.Context, address string) ([]Plan, error) {
	plans, err := c.plans(ctx, url.PathEscape(address))
	if !errors.Is(err, ErrNotThere) {
		return plans, err
	}
	type user struct {
		ID string `json:"id"`
	}
	users, err := list[user](ctx, c, Licences, "/users",
		url.Values{"$select": {"id"}, "$top": {"2"}, "$filter": {"mail eq '" + strings.ReplaceAll(address, "'", "''") + "'"}})
	switch {
	case err != nil:
		return nil, err
	case len(users) == 0:
		return nil, ErrNotThere
	case len(users) > 1 || users[0].ID == "":
		return nil, errForm(Licences, "does not name one user for an address")
	}
	return c.plans(ctx, url.PathEscape(users[0].ID))
}

func (c *Client) plans(ctx context.Context, user string) (all []Plan, err error) {
	details, err := list[struct {
		Plans []Plan `json:"servicePlans"`
	}](ctx, c, Licences, "/users/"+user+"/licenseDetails", url.Values{"$select": {"id,skuPartNumber,servicePlans"}})
	for _, d := range details {
		all = append(all, d.Plans...)
	}
	return all, err
}

// Try asks the area once, for a look at its permission alone. The address is that
// of a user of the tenant.
func (a *Area) Try(ctx context.Context, c *Client, address string) (err error) {
	switch a {
	case Principals:
		_, err = c.Principal(ctx)
	case Organizations:
		_, err = c.Organization(ctx)
	case ConditionalAccess:
		_, err = c.Policies(ctx)
	case AppProtection:
		_, err = c.Protections(ctx, IOS)
	default:
		_, err = c.Licences(ctx, address)
	}
	if errors.Is(err, ErrNotThere) {
		return nil
	}
	return err
}
