package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/entra"
	"github.com/hmad/hmad/internal/graph"
)

// The families of the check tenant.
var (
	DirectorySync = &check.Metric{Name: "hmad_tenant_directory_sync_timestamp_seconds", Kind: check.Gauge,
		Help: "Unix time of Entra Connect's last run, as the tenant tells it; absent if it is not known."}
	NameRegistered = &check.Metric{Name: "hmad_tenant_service_principal_name_registered", Kind: check.Gauge, Labels: []string{"host"},
		Help: "1 if the host is a service principal name of Exchange Online in the tenant, else 0; absent if it is not known."}
	TenantPolicies = &check.Metric{Name: "hmad_tenant_policies", Kind: check.Gauge, Labels: []string{"kind"},
		Help: "Policies of the tenant by kind (conditional_access: those that are enabled; conditional_access_report_only; app_protection_ios, " +
			"app_protection_android); absent if it is not known."}
)

// Tenant is the check of what the guide asks of the tenant.
var Tenant = &check.Def{
	Name: "tenant",
	Doc: "Does the tenant meet the requirements of Microsoft's guide? Once an hour the check asks Microsoft Graph, read-only, for the service " +
		"principal names, Entra Connect's last run, the verified domains, conditional access and Intune's app protection policies, and once a day for " +
		"the licences of the probe mailbox and of the watched users, whose addresses it sends to Graph. Each area has its own permission " +
		"(docs/credentials.md): without one, only the reasons of that area are undecided, and `hmad doctor` tries each. " +
		"Not judged: groups, exclusions, report-only policies, and what applies to a single user. " +
		"If your tenant does some of this otherwise on purpose, accept the reason with a waiver.",
	Needs:   config.GraphNeeds,
	Every:   "37 * * * *",
	Timeout: 2 * time.Minute,
	Metrics: []*check.Metric{DirectorySync, NameRegistered, TenantPolicies, graph.Requests, entra.CredentialNotAfter},
	Reasons: slices.Concat(principalReasons, organizationReasons, accessReasons, protectionReasons, licenceReasons),
	Facts:   []*check.Fact{registeredNames, tenantDomains},
	Steps:   []int{5},
	Sends:   sendsToGraph,
	Implies: []check.Implication{
		{Causes: []*check.Reason{spnMissing, exchangePrincipalDisabled}, Effects: []string{"onprem_sync.cloud_sync_refused",
			"onprem_sync.cloud_sync_stopped", "onprem_sync.onprem_leg_stale", "mailbox_sync.sync_stale", "mailbox_sync.watched_mailbox_stale", "token_acceptance.audience_not_registered",
			"token_acceptance.ews_audience_not_registered"}},
	},
	New: newTenant,
}

// sendsToGraph says which addresses go to Microsoft Graph.
func sendsToGraph(t config.Target) string {
	if !t.Graph.Configured() {
		return "nothing to anybody"
	}
	whose := "the probe mailbox's address"
	if n := len(t.Sync.Watch); n > 0 {
		whose += fmt.Sprintf(", and those of sync.watch (%d)", n)
	}
	return whose + ", to " + t.Graph.Host.Value().Hostname()
}

var (
	registeredNames = &check.Fact{Name: "service_principal_names", Doc: "whether a host of the config is a service principal name of Exchange Online"}
	tenantDomains   = &check.Fact{Name: "verified_domains", Doc: "the verified domains of the tenant"}
)

// Times of one run.
const (
	areaTimeout = 20 * time.Second
	maxUsers    = 25               // asked for their licences in one run
	firstPause  = 30 * time.Second // after a 429 of conditional access, which says no time
	lastPause   = time.Hour
)

// newTenant builds the check of a target; there is none without access to Graph.
func newTenant(t config.Target, env check.Env) (check.Parts, error) {
	if !t.Graph.Configured() {
		return check.Parts{}, nil
	}
	client, err := graph.New(t, env)
	if err != nil {
		return check.Parts{}, err
	}
	return check.Parts{Run: (&tenantCheck{t, env, client}).run}, nil
}

// tenantCheck is the check bound to a target. Runs do not overlap.
type tenantCheck struct {
	target config.Target
	env    check.Env
	client *graph.Client
}

func (c *tenantCheck) run(ctx context.Context, v *check.Verdict) {
	v.Samples(c.client.CredentialSamples()...)
	v.Repeat(graph.ByHand()...)
	if err := c.client.Token(ctx); err != nil {
		v.Undecided(err)
		return
	}
	c.look(ctx).judge(v)
}

// tenantSeen is what one run saw, each area with what kept it from being seen.
type tenantSeen struct {
	now        time.Time
	tenant     string
	hosts      []string // of the config, which need a service principal name
	domain     string   // of the probe mailbox
	staleAfter time.Duration

	principal    area[graph.Principal]
	organization area[graph.Organization]
	access       area[access]
	protection   map[string]area[[]graph.Protection] // by platform
	users        []user
}

// area is what was seen of one area.
type area[T any] struct {
	value T
	err   error
}

// user is one whose licences are judged.
type user struct {
	name string // by label mode; for people
	area[[]string]
}

// look asks for every area. None that hangs takes the time of the others.
func (c *tenantCheck) look(ctx context.Context) tenantSeen {
	s := tenantSeen{now: c.env.Now(), tenant: c.target.Tenant, hosts: mailHosts(c.target), staleAfter: c.target.Graph.SyncStaleAfter,
		protection: map[string]area[[]graph.Protection]{}}
	_, s.domain, _ = strings.Cut(c.target.Mailbox, "@")
	s.principal = ask(ctx, c.client.Principal)
	s.organization = ask(ctx, c.client.Organization)
	s.access = c.lookAtAccess(ctx)
	for _, platform := range platforms {
		s.protection[platform] = ask(ctx, func(ctx context.Context) ([]graph.Protection, error) { return c.client.Protections(ctx, platform) })
	}
	s.users = c.lookAtUsers(ctx)
	return s
}

func ask[T any](ctx context.Context, question func(context.Context) (T, error)) area[T] {
	ctx, cancel := context.WithTimeout(ctx, areaTimeout)
	defer cancel()
	value, err := question(ctx)
	return area[T]{value, err}
}

// mailHosts returns the hosts of the config that the cloud's tokens are for.
func mailHosts(t config.Target) []string {
	var hosts []string
	add := func(host string) {
		if host = strings.ToLower(host); host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if u := t.ActiveSync.URL.Value(); u != nil {
		add(u.Hostname())
	}
	if u := t.TokenAcceptance.URL.Value(); u != nil {
		add(u.Hostname())
	}
	add((&url.URL{Host: t.Autodiscover.Host.String()}).Hostname())
	return hosts
}

// The keys of the target's memory.
const (
	keyOfAccess   = "tenant_access"
	keyOfPause    = "tenant_access_pause"
	keyOfLicences = "tenant_licences"
)

// heldAccess is what the policies of conditional access were at a moment.
type heldAccess struct {
	At     time.Time
	Access access
}

// pause is how long nobody asks for them.
type pause struct {
	Until time.Time
	Tries int
}

// lookAtAccess asks for the policies of conditional access, for which a tenant
// has one request a second for all apps together, and 429 comes without a time
// (learn.microsoft.com, «Microsoft Graph service-specific throttling limits»): once
// in an hour, and after a refusal later from time to time.
func (c *tenantCheck) lookAtAccess(ctx context.Context) area[access] {
	now := c.env.Now()
	var held heldAccess
	if c.env.Memory.Get(keyOfAccess, &held) && recent(now, held.At, c.target.Graph.PoliciesEvery) {
		return area[access]{value: held.Access}
	}
	var wait pause
	if c.env.Memory.Get(keyOfPause, &wait) && now.Before(wait.Until) && wait.Until.Before(now.Add(2*lastPause)) {
		return area[access]{err: check.Errorf(check.Throttled, "%s: Microsoft Graph asked to wait: hmad asks again after %s",
			graph.ConditionalAccess.Title, check.Moment(wait.Until))}
	}
	all := ask(ctx, c.client.Policies)
	var refused *graph.Error
	switch {
	case all.err == nil:
		seen := readAccess(all.value)
		c.env.Memory.Put(keyOfAccess, heldAccess{now, seen})
		c.env.Memory.Put(keyOfPause, pause{})
		return area[access]{value: seen}
	case errors.As(all.err, &refused) && check.ClassOf(all.err) == check.Throttled:
		c.env.Memory.Put(keyOfPause, wait.longer(now, refused.RetryAfter))
	}
	return area[access]{err: all.err}
}

// longer returns the pause after one more refusal.
func (p pause) longer(now time.Time, asked time.Duration) pause {
	d := min(firstPause<<min(p.Tries, 10), lastPause)
	return pause{now.Add(max(d, asked)).UTC(), p.Tries + 1}
}

// recent reports whether a moment is so near that nobody asks again. A schedule of
// the same length may start a little early, hence the slack.
func recent(now, at time.Time, every time.Duration) bool {
	age := now.Sub(at)
	return age >= 0 && age < every-min(every/60, time.Minute)
}

// heldLicences is what licences a user lacked at a moment.
type heldLicences struct {
	At   time.Time
	Lack []string
}

// lookAtUsers asks for the licences of the probe mailbox and of the watched users
// that are not known of today.
func (c *tenantCheck) lookAtUsers(ctx context.Context) []user {
	var held map[string]heldLicences // by a hash of the address
	c.env.Memory.Get(keyOfLicences, &held)
	kept := map[string]heldLicences{}
	names := check.NewMailboxNames(c.target.Sync.MailboxLabel, c.env.Memory)
	var users []user
	asked := 0
	for i, address := range c.addresses() {
		u := user{name: "the probe mailbox"}
		if i > 0 {
			u.name = names.Of(address)
		}
		key := keyOf(address)
		known, there := held[key]
		switch {
		case there && recent(c.env.Now(), known.At, c.target.Graph.LicencesEvery):
			u.value, kept[key] = known.Lack, known
		case asked >= maxUsers:
			u.err = check.Errorf(check.State, "hmad asks for the licences of %d users in one run, and for the others in the next", maxUsers)
		default:
			asked++
			u.area = c.askLicences(ctx, address)
			if u.err == nil {
				kept[key] = heldLicences{c.env.Now().UTC(), u.value}
			}
		}
		users = append(users, u)
	}
	c.env.Memory.Put(keyOfLicences, kept)
	return users
}

func (c *tenantCheck) askLicences(ctx context.Context, address string) area[[]string] {
	plans := ask(ctx, func(ctx context.Context) ([]graph.Plan, error) { return c.client.Licences(ctx, address) })
	if plans.err != nil {
		return area[[]string]{err: plans.err}
	}
	return area[[]string]{value: lackedRights(plans.value)}
}

// addresses returns the probe mailbox's address and those of the watch list.
func (c *tenantCheck) addresses() []string {
	all := []string{strings.ToLower(c.target.Mailbox)}
	for _, w := range c.target.Sync.Watch {
		if a := strings.ToLower(w.Mailbox); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

func keyOf(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:12])
}
