package probes

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hmad/hmad/internal/check"
	"github.com/hmad/hmad/internal/config"
	"github.com/hmad/hmad/internal/transport"
)

// migrationMailbox is a mailbox that every tenant has (microsoft/CSS-Exchange,
// Get-ProtocolEndpointViaAutoDv2), so that its address is no person's.
const migrationMailbox = "Migration.8f3e7716-2011-43e4-96b1-aba62d229136"

// maxCloudAnswer bounds an answer of Exchange Online's AutoDiscover, in bytes.
const maxCloudAnswer = 64 << 10

// CloudAutodiscover is the check of the guide's step 1 at Microsoft's end.
var CloudAutodiscover = &check.Def{
	Name: "cloud_autodiscover",
	Off:  true,
	Doc: "Where does Exchange Online send AutoDetect for the mailbox? The check asks Exchange Online's AutoDiscover, without credentials, for each " +
		"mailbox of `cloud_autodiscover.mailboxes` (default: the probe mailbox), for an address of the same domain that does not exist, and once for a " +
		"mailbox that every tenant has. Together the answers tell «the tenant knows this mailbox and places it on premises» from «the host is built from " +
		"the domain alone», «unknown» and «in the cloud»: docs/cloud.md has the table. A redirect is never followed; of it host and path are kept. Off " +
		"until enabled, because addresses go to Microsoft: the host of `cloud_autodiscover.url`, and the domain to the sign-in host where the tenant " +
		"cannot be told to know it. Seen in public captures, not documented: so all but a wrong host are warnings.",
	Needs:   config.CloudAutodiscoverNeeds,
	Every:   "*/30 * * * *",
	Timeout: time.Minute,
	Metrics: []*check.Metric{CloudPlacementProven},
	Reasons: []*check.Reason{cloudHostWrong, cloudHasMailbox, mailboxUnknownInCloud, cloudRedirectInsecure, cloudAnswerUnusual},
	Facts:   []*check.Fact{cloudRedirect},
	Steps:   []int{1},
	Sends:   sendsToCloud,
	New:     newCloudAutodiscover,
}

// CloudPlacementProven says whether the control question told the domain's
// mailbox from an absent one.
var CloudPlacementProven = &check.Metric{Name: "hmad_cloud_placement_proven", Kind: check.Gauge, Labels: []string{"domain"},
	Help: "1 when Exchange Online sends AutoDetect on premises for the mailbox of the domain and not for an absent address, so that it knows the mailbox " +
		"there; 0 when it answers both alike, or the mailbox is unknown or in the cloud."}

var cloudRedirect = &check.Fact{Name: "cloud_redirect", Doc: "the host to which Exchange Online's AutoDiscover sends, by domain"}

// cloudAutodiscover is the compiled check of one target.
type cloudAutodiscover struct {
	base       *url.URL
	client     *http.Client
	control    string
	mailboxes  []string
	probe      string
	absentName string
	hosts      []string // the target's own
	tenant     string
	openID     config.TenantURL
}

func newCloudAutodiscover(t config.Target, env check.Env) (check.Parts, error) {
	s := t.CloudAutodiscover
	if s.TenantDomain.IsZero() || s.URL.IsZero() {
		if on := t.Checks["cloud_autodiscover"].Enabled; on != nil && *on {
			return check.Parts{}, config.Invalid(config.CloudAutodiscoverNeeds, "got nothing, want a domain of the tenant's, such as contoso.onmicrosoft.com")
		}
		return check.Parts{}, nil
	}
	way, err := transport.New(t, env)
	if err != nil {
		return check.Parts{}, err
	}
	c := &cloudAutodiscover{base: s.URL.Value(), client: unfollowing(way), control: migrationMailbox + "@" + s.TenantDomain.Name, mailboxes: s.Mailboxes,
		probe: t.Mailbox, absentName: s.AbsentName, hosts: ownHosts(t), tenant: t.Tenant, openID: t.Entra.OpenIDConfiguration}
	if len(c.mailboxes) == 0 {
		c.mailboxes = []string{t.Mailbox}
	}
	return check.Parts{Run: c.run}, nil
}

// unfollowing returns a client that gives a redirect back as an answer.
func unfollowing(way *transport.Way) *http.Client {
	client := way.Client()
	client.CheckRedirect = transport.KeepRedirect
	return client
}

// ownHosts lists the hosts to which AutoDetect may be sent.
func ownHosts(t config.Target) []string {
	hosts := []string{t.Autodiscover.Host.Name}
	for _, h := range t.Autodiscover.RedirectHosts {
		hosts = append(hosts, h.Name)
	}
	if u := t.ActiveSync.URL.Value(); u != nil {
		hosts = append(hosts, u.Hostname())
	}
	return hosts
}

func sendsToCloud(t config.Target) string {
	s := t.CloudAutodiscover
	if s.URL.IsZero() {
		return "nothing to anybody"
	}
	whose := "the probe mailbox's address"
	if n := len(s.Mailboxes); n > 0 {
		whose = fmt.Sprintf("the addresses of cloud_autodiscover.mailboxes (%d)", n)
	}
	return whose + ", and " + s.AbsentName + "@ of the same domain, to " + s.URL.Value().Hostname()
}

// run asks for the control mailbox first: where that does not answer as it must,
// nothing else means anything.
func (c *cloudAutodiscover) run(ctx context.Context, v *check.Verdict) {
	v.Repeat("curl -sS -i " + check.ShellWord(c.at(c.probe).String(), maxWord))
	control, err := c.ask(ctx, c.control)
	if err == nil && control.kind != hasMailbox {
		err = check.Errorf(check.Other, "Exchange Online does not know the control mailbox of cloud_autodiscover.tenant_domain (%s): is that a domain of the "+
			"tenant's?", control)
	}
	if err != nil {
		v.Undecided(err)
		return
	}
	var parts []check.Part
	for _, mailbox := range c.mailboxes {
		one := v.Blank()
		domain := config.DomainOf(mailbox)
		judgePlacement(one, domain, c.hosts, c.look(ctx, mailbox))
		parts = append(parts, check.Part{Name: check.Clean(domain, 100), Verdict: one})
	}
	v.Join(parts...)
}

// placement is what was seen of one mailbox.
type placement struct {
	mailbox   cloudAnswer
	absent    cloudAnswer
	err       error // of the mailbox's question
	absentErr error
	owner     domainOwner // asked where both answers lead on premises
	ownerErr  error
}

func (c *cloudAutodiscover) look(ctx context.Context, mailbox string) (p placement) {
	domain := config.DomainOf(mailbox)
	if p.mailbox, p.err = c.ask(ctx, mailbox); p.err != nil || p.mailbox.kind == hasMailbox {
		return p
	}
	p.absent, p.absentErr = c.ask(ctx, c.absentName+"@"+domain)
	if p.absentErr == nil && p.mailbox.kind == sendsOn && p.absent.kind == sendsOn {
		p.owner, p.ownerErr = c.ownerOf(ctx, domain)
	}
	return p
}

// at returns the URL of the question: the form that Microsoft's own helper uses.
func (c *cloudAutodiscover) at(mailbox string) *url.URL {
	u := *c.base
	u.Path = strings.TrimSuffix(u.Path, "/") + "/autodiscover/autodiscover.json/v1.0/" + mailbox
	u.RawPath = strings.TrimSuffix(c.base.EscapedPath(), "/") + "/autodiscover/autodiscover.json/v1.0/" + url.PathEscape(mailbox)
	u.RawQuery = "Protocol=ActiveSync"
	return &u
}

func (c *cloudAutodiscover) ask(ctx context.Context, mailbox string) (cloudAnswer, error) {
	header := http.Header{"Accept": {"application/json"}}
	a, err := transport.Get(ctx, c.client, transport.Request{URL: c.at(mailbox).String(), Header: header, Max: maxCloudAnswer})
	if err != nil {
		return cloudAnswer{}, notAsked(c.base.Hostname(), err)
	}
	return readCloudAnswer(a, c.at(mailbox), mailbox)
}

// notAsked returns the error of a host of Microsoft's that did not answer.
func notAsked(host string, err error) error {
	class := check.ClassOf(err)
	if class == check.Other {
		class = check.VantageOffline
	}
	return check.Errorf(class, "%s cannot be asked: %w", host, err)
}

// domainOwner is what the sign-in host says of a domain.
type domainOwner int

const (
	unknownOwner domainOwner = iota // could not be told
	nobody                          // no tenant has it
	another                         // another tenant has it
	oneself
)

// ownerOf asks whose tenant a domain is of. The domain goes to the sign-in host,
// where everybody's browser asks the same.
func (c *cloudAutodiscover) ownerOf(ctx context.Context, domain string) (domainOwner, error) {
	u := c.openID.Of(domain)
	if u == nil || c.tenant == "" {
		return unknownOwner, nil
	}
	a, err := transport.Get(ctx, c.client, transport.Request{URL: u.String(), Max: maxCloudAnswer})
	if err != nil {
		return unknownOwner, notAsked(u.Hostname(), err)
	}
	refused, ok := transport.ReadSignInError(a.Body)
	switch {
	case ok && refused.UnknownTenant() != "":
		return nobody, nil
	case a.Status != http.StatusOK || !isOpenID(a.Body):
		return unknownOwner, nil
	case strings.Contains(strings.ToLower(string(a.Body)), strings.ToLower(c.tenant)):
		return oneself, nil
	}
	return another, nil
}

// shownHost returns a host of a redirect as a text may show it.
func shownHost(host string) string { return check.Clean(cmp.Or(host, "no host"), 100) }
